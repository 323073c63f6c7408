"""What comes along: a rule by location with `RELAY_ALERTS`, one that groups with `RELAY_ALERTMANAGER`.

Each is laid once with its channels, by whoever comes first: beat's tick, the first alert that is posted, or a
web process that takes what Alertmanager does. That it was done stands in a row of its own (`Laid`), written
with them. So what an operator changes, disables or deletes stays as he has left it, and is not made again;
`manage.py rules lay` does it once more. What is there under one of the names before stays what it is, and is
used.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction

from access_app.actor import Actor, acting
from alerts_app import registration
from alerts_app.models import Laid, Rule
from alerts_app.receiving.channel import CHANNEL, DOOR
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

GROUP_NAME: Final = "alertmanager"
GROUP_OUTPUT: Final = "alertmanager.notices"
GROUP_SETTINGS: Final[dict[str, Any]] = {"receiver": "relay", "group_by": ["alertname"]}


class _Channel(NamedTuple):
    """What is made if there is none. `event`: by which it goes to every socket, and so is public."""

    name: str
    event: str = ""
    door: str = ""


@dataclass(frozen=True, slots=True)
class Coming:
    """A rule that comes along with a setting, with its channels, the one that it reads first."""

    name: str
    setting: str
    channels: Sequence[_Channel]
    kind: Rule.Kind
    settings: Mapping[str, Any]
    is_in_place: Callable[[], bool] = lambda: False
    """Whether an operator has something else already that does what it would."""

    @property
    def is_wanted(self) -> bool:
        """Whether it is to be there."""
        return bool(getattr(settings, self.setting) != "off")


def _has_a_group_rule() -> bool:
    return Rule.objects.filter(kind=Rule.Kind.GROUP, channel__channel=CHANNEL).exists()


BY_LOCATION: Final = Coming(
    NAME, "RELAY_ALERTS", (_Channel(INPUT), _Channel(OUTPUT, EVENT)), Rule.Kind.WINDOW, SETTINGS
)
GROUPED: Final = Coming(
    GROUP_NAME,
    "RELAY_ALERTMANAGER",
    (_Channel(CHANNEL, door=DOOR), _Channel(GROUP_OUTPUT)),
    Rule.Kind.GROUP,
    GROUP_SETTINGS,
    _has_a_group_rule,
)
ALL: Final = (BY_LOCATION, GROUPED)


def lay() -> None:
    """See that what comes along is there, unless it was laid once. What fails is in the log."""
    for one in ALL:
        if one.is_wanted and not Laid.objects.filter(name=one.name).exists():
            _lay(one)


def lay_in_a_thread() -> None:
    """The same, with a connection to PostgreSQL that is given back."""
    try:
        lay()
    finally:
        connection.close()


def lay_now() -> list[str]:
    """Make whatever is missing of what the settings ask for; the names of what was made.

    Raises:
        BadRule: they ask for nothing.
        RelayError: as `registration.create`.
    """
    wanted = [one for one in ALL if one.is_wanted]
    if not wanted:
        names = " nor ".join(one.setting for one in ALL)
        raise BadRule(f"No rule comes along: neither {names} is set. docs/settings.md says to what.")
    with transaction.atomic():
        return [name for one in wanted for name in _make(one)]


def _lay(one: Coming) -> None:
    try:
        with acting(Actor("relay", one.setting)), transaction.atomic():
            # Of two at once the one waits here for the other.
            if Laid.objects.get_or_create(name=one.name)[1] and not one.is_in_place():
                _make_or_say_why_not(one)
    except RelayError as exc:
        log.warning("the rule %s cannot be laid, that is tried again: %s", one.name, one_line(exc))


def _make_or_say_why_not(one: Coming) -> None:
    """What cannot be meant now is no better the next time: an operator has to look at it."""
    try:
        _make(one)
    except (BadRule, BadChannelName) as exc:
        log.warning("the rule %s is not laid, manage.py rules lay tries again: %s", one.name, one_line(exc))


def _make(one: Coming) -> list[str]:
    made = []
    with transaction.atomic():
        for name, event, door in one.channels:
            if not Channel.objects.filter(channel=name).exists():
                flags = Flags(listen=False, republish=False, public=bool(event), broadcast=event)
                channels.start(name, EVERY, door=door, **flags)
                made.append(name)
        if not Rule.objects.filter(name=one.name).exists():
            reads, writes = (channel.name for channel in one.channels)
            registration.create(one.name, reads, writes, one.kind, one.settings, Start(START))
            made.append(one.name)
    return made
