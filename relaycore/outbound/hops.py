"""How often a message has come back into Relay by a webhook of Relay's own.

An endpoint may be Relay's own door for publishers, this one's or another one's: so one channel is passed on
into others. In a circle that would go on until the disk is full. So a request says how often its message has
been sent by a webhook, this time included; the door keeps that number with the message, among its attributes,
and refuses one that comes too often.

What a publisher says himself of his messages makes them end sooner, and harms nobody else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

HEADER: Final = "relay-hops"
ATTRIBUTE: Final = "relay-hops"
MOST: Final = 8
"""As many channels as anybody has in a row, and a circle ends within a moment."""

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,2}")


def number(said: str | None) -> int:
    """What a header or an attribute says; 0: nothing."""
    return int(said) if said is not None and _NUMBER.fullmatch(said) is not None else 0


def header(documents: Iterable[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """What a request with these messages, as they are stored, says: of those that came most often."""
    before = max(number((one.get("attributes") or {}).get(ATTRIBUTE)) for one in documents)
    return HEADER.encode(), b"%d" % (before + 1)


def counted(attributes: Mapping[str, str], hops: int) -> Mapping[str, str]:
    """The attributes of a message that has come so often; 0: by no webhook."""
    return {**attributes, ATTRIBUTE: str(hops)} if hops else attributes
