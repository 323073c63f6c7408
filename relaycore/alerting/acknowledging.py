"""What people do with an alert, as a message on the channel on which it is told.

Somebody sees to it (`acknowledge`), or does not after all (`release`). It stands beside what the rule tells,
so rules that read the channel are a function of the log in this too (`kinds.unacknowledged`). Its attributes
are `alert-id`, `rule` and `event`, as those of an output, but it has no `cause`: no rule has said it.

The message is `{"alert": its id, "eventType", "time"}`. Who it was, and what he has written, does not stand
in it: the channel may be one that anybody watches. Whether it is to be believed is said in `speaking`.
"""

from collections.abc import Mapping
from typing import Final

from relaycore.alerting.items import ALERT, EVENT, RULE
from relaycore.alerting.kinds import texts

ACKNOWLEDGE: Final = "acknowledge"
RELEASE: Final = "release"

BY_PEOPLE: Final = frozenset({ACKNOWLEDGE, RELEASE})


def message(alert: str, event: str, at: int) -> str:
    """JSON text. `at`: when it was done, microseconds since 1970."""
    return texts.encode({"alert": alert, "eventType": event, "time": texts.show_time(at)})


def attributes(alert: str, event: str, rule: str) -> dict[str, str]:
    """What stands beside it. `rule`: that of the alert, its UUID as hex."""
    return {ALERT: alert, EVENT: event, RULE: rule}


def is_by_people(attributes: Mapping[str, str] | None) -> bool:
    """Whether a message with these says what somebody has done with an alert, if it is believed."""
    return attributes is not None and ALERT in attributes and attributes.get(EVENT) in BY_PEOPLE
