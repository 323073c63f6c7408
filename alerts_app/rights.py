"""Who may do what with rules and with alerts.

A rule is about two channels, so whoever does something with it needs the right on both. An alert is what a
rule has told: whoever may consume the channel on which it is told may say what becomes of it.
"""

from collections.abc import Iterable
from typing import Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from access_app.permissions import Need, refusal, refusal_everywhere
from alerts_app import registration
from alerts_app.models import Rule
from relaycore.alerting.errors import RuleUnknown
from relaycore.rights import CONSUME, MANAGE, READ

SEE: Final = Need(READ, "alerts_app.view_rule")
MAKE: Final = Need(MANAGE, "alerts_app.add_rule")
CHANGE: Final = Need(MANAGE, "alerts_app.change_rule")
DELETE: Final = Need(MANAGE, "alerts_app.delete_rule")
HANDLE: Final = Need(CONSUME, "alerts_app.add_acknowledgement")


def require_on(request: Request, need: Need, channels: Iterable[str]) -> None:
    """Nothing, if the request may do this with each of these channels.

    Raises:
        PermissionDenied: it may not.
    """
    for channel in channels:
        if (said := refusal(request, need, channel)) is not None:
            raise PermissionDenied(said)


def find(request: Request, need: Need, name: str) -> Rule:
    """The rule of this name, with its channels, for whoever may do this with both of them.

    Which channels are meant shows only once it was looked up. So whoever may not do this with every channel
    is told the same, whether there is no such rule or it is not his: names of others cannot be guessed.

    Raises:
        PermissionDenied: he may not, or there is none.
        RuleUnknown: he might, and there is none.
    """
    try:
        row = registration.find(name)
    except RuleUnknown:
        if refusal_everywhere(request, need) is None:
            raise
        raise _refused(need, name) from None
    if any(refusal(request, need, channel.channel) for channel in (row.channel, row.to)):
        raise _refused(need, name)
    return row


def _refused(need: Need, name: str) -> PermissionDenied:
    return PermissionDenied(
        f'This needs the scope "{need.right}" on both channels of the rule "{name}", if there is one.'
    )
