"""How often a message has come back into Relay by a webhook of Relay's own.

An endpoint may be one of Relay's own doors, of this Relay or another one: so one channel is passed on into
others. In a circle that would go on until the disk is full. So a request says how often its message has been
sent by a webhook, this time included; each door asks `came`, keeps that number with the message, among its
attributes, and refuses one that comes too often. A rule passes it on to what it says of the message.

What a rule says because time has passed begins anew: it is said of many messages, and one that came too often
would have the others refused for as long as it is known.

What a publisher says himself of his messages makes them end sooner, and harms nobody else.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from relaycore.errors import Looped

HEADER: Final = "relay-hops"
ATTRIBUTE: Final = "relay-hops"
MOST: Final = 8
"""As many channels as anybody has in a row, and a circle ends within a moment."""

LOOP: Final = (
    f"This message was sent by a webhook of Relay more than {MOST} times: its channels are passed on in a "
    "circle. Delete one of the subscriptions that do so."
)

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,2}")


def number(said: str | None) -> int:
    """What a header or an attribute says; 0: nothing."""
    return int(said) if said is not None and _NUMBER.fullmatch(said) is not None else 0


def came(said: str | None) -> int:
    """How often webhooks have sent what a door is given, by its header; 0: none has.

    Raises:
        Looped: too often.
    """
    if (found := number(said)) > MOST:
        raise Looped(LOOP)
    return found


def header(documents: Iterable[Mapping[str, Any]]) -> tuple[bytes, bytes]:
    """What a request with these messages, as they are stored, says: of those that came most often."""
    before = max(number((one.get("attributes") or {}).get(ATTRIBUTE)) for one in documents)
    return HEADER.encode(), b"%d" % (before + 1)


def counted(attributes: Mapping[str, str], hops: int) -> Mapping[str, str]:
    """The attributes of a message that has come so often; 0: by no webhook."""
    return {**attributes, ATTRIBUTE: str(hops)} if hops else attributes


def carried(attributes: Mapping[str, str]) -> Mapping[str, str]:
    """What a rule passes on of the attributes of a message that makes it say something."""
    return counted({}, number(attributes.get(ATTRIBUTE)))
