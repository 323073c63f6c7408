"""What comes along with `RELAY_ALERTS`: two channels, and the rule "alerts by location" between them.

They are laid once, by whoever comes first: beat's tick, or the first alert that is posted. That it was done
stands in a row of its own (`Laid`), written with them. So what an operator changes, disables or deletes stays
as he has left it, and is not made again; `manage.py rules lay` does it once more. What is there under one of
the names before stays what it is, and is used.
"""

import logging
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction

from access_app.actor import Actor, acting
from alerts_app import registration
from alerts_app.models import Laid, Rule
from channels_app import registration as channels
from channels_app.models import Channel
from channels_app.registration import Flags
from relaycore.delivering.beginning import Start
from relaycore.errors import BadChannelName, BadRule, RelayError, one_line
from relaycore.policy import EVERY
from relaycore.position import START

log = logging.getLogger(__name__)

NAME: Final = "alerts-by-location"
INPUT: Final = "alerts"
OUTPUT: Final = "alerts.events"
EVENT: Final = "alert"
"""By which Socket.IO tells every socket of it."""

SETTINGS: Final[dict[str, Any]] = {
    "key": ["location"],
    "start": {"field": "timestamp"},
    "duration": {"field": "duration", "unit": "minutes"},
    "merge": {"type": "Mixed Threats"},
    "close_on_extend": False,
}

_ACTOR: Final = Actor("relay", "RELAY_ALERTS")


def is_wanted() -> bool:
    """Whether alerts are taken here."""
    return bool(settings.RELAY_ALERTS != "off")


def lay() -> None:
    """See that what comes along is there, unless it was laid once. What fails is in the log."""
    if not is_wanted() or Laid.objects.filter(name=NAME).exists():
        return
    try:
        with acting(_ACTOR), transaction.atomic():
            # Of two at once the one waits here for the other.
            if Laid.objects.get_or_create(name=NAME)[1]:
                _lay_or_say_why_not()
    except RelayError as exc:
        log.warning("the rule %s cannot be laid, that is tried again: %s", NAME, one_line(exc))


def _lay_or_say_why_not() -> None:
    """What cannot be meant now is no better the next time: an operator has to look at it."""
    try:
        lay_now()
    except (BadRule, BadChannelName) as exc:
        log.warning("the rule %s is not laid, manage.py rules lay tries again: %s", NAME, one_line(exc))


def lay_in_a_thread() -> None:
    """The same, with a connection to PostgreSQL that is given back."""
    try:
        lay()
    finally:
        connection.close()


def lay_now() -> list[str]:
    """Make whatever of it is missing; the names of what was made.

    Raises:
        RelayError: as `registration.create`.
    """
    made = []
    with transaction.atomic():
        for name, event in ((INPUT, ""), (OUTPUT, EVENT)):
            if not Channel.objects.filter(channel=name).exists():
                flags = Flags(listen=False, republish=False, public=bool(event), broadcast=event)
                channels.start(name, EVERY, **flags)
                made.append(name)
        if not Rule.objects.filter(name=NAME).exists():
            registration.create(NAME, INPUT, OUTPUT, Rule.Kind.WINDOW, SETTINGS, Start(START))
            made.append(NAME)
    return made
