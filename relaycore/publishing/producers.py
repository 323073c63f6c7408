"""Who is said to have published a message: its `produced_by`.

Doors write there the name of a token, or of a user. Both are chosen by whoever makes them. What Relay
publishes itself has a name of Relay's own, and is believed by it: so no door says one of these of anybody
else.
"""

from typing import Final

RELAY: Final = "relay"
"""What Relay tells of itself."""

PEOPLE: Final = "alerts"
"""What people do with alerts; and alerts of sources that nobody knows, which have no attributes."""

ALERTMANAGER: Final = "alertmanager"
"""What senders of Alertmanager's API say of alerts."""

LOG_QUEUE: Final = "log queue"
"""What clients of the log queue publish without a token."""

RULES: Final = "rule "
"""With it begins what rules tell; the name of the rule follows."""

_OWN: Final = frozenset({RELAY, PEOPLE, ALERTMANAGER, LOG_QUEUE})


def rule(name: str) -> str:
    """What a rule of this name tells is published by."""
    return f"{RULES}{name}"


def is_rule(produced_by: str) -> bool:
    """Whether a rule has told it."""
    return produced_by.startswith(RULES)


def client(kind: str, name: str) -> str:
    """What a client publishes is published by. `kind`: `token` or `user`; `name`: its own.

    Where that is one of Relay's, its kind stands before it.
    """
    return f"{kind} {name}" if name in _OWN or is_rule(name) else name
