"""Notices: what listeners are told on the control channel of their partition.

On the wire a kind, what belongs to it, and the seal, one space between::

    look NAME SEAL
    echo NUMBER CHANNEL COUNT SEAL

*look*: `NAME` is UTF-8, may have spaces in it, and is empty for the whole table. *echo*: the next `COUNT`
messages of `CHANNEL`, which follow directly, stand on the stream already (`relaycore.capturing`); `NUMBER`
grows with each one in the partition. The seal is that of
a tick (`relaycore.capturing.ticks`), with the same key, and no tick begins with a letter: neither can be
taken for the other. What is not sealed was said by a stranger, and is nothing.

The kind comes first, since kinds differ in what they may suffer. A look is a hint: any number of
them may be made one, and one that is lost is made good by the next look at the table. An echo belongs to its
place among the messages: it is neither dropped nor collapsed, and who holds messages holds it with them.
"""

import hmac
import re
from dataclasses import dataclass
from typing import Final

from relaycore.capturing.ticks import seal

_LOOK: Final = b"look "
_ECHO: Final = re.compile(rb"echo ([0-9]{1,19}) (.+) ([0-9]{1,9})\Z", re.DOTALL)
_SEAL_BYTES: Final = 41
"""With the space before it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look this channel up in the table; the whole table if the name is empty."""

    name: str = ""


@dataclass(frozen=True, slots=True)
class Echo:
    """The next `count` messages of this channel are not to be relayed, as long as nothing comes between.

    number: in the partition; what is published again has one that was heard before
    """

    number: int
    channel: bytes
    count: int


Notice = Look | Echo


def look(name: str, key: bytes) -> bytes:
    """The notice that has listeners look up a channel; the whole table if the name is empty."""
    body = _LOOK + name.encode()
    return body + b" " + seal(body, key)


def echo(number: int, channel: bytes, count: int, key: bytes) -> bytes:
    """The notice directly before so many messages of `channel`. Redis itself makes it, in the same step."""
    body = b"echo %d %s %d" % (number, channel, count)
    return body + b" " + seal(body, key)


def parse(payload: bytes, key: bytes) -> Notice | None:
    """Read a notice; None for anything that is not one, or is not sealed with this key."""
    body, end = payload[:-_SEAL_BYTES], payload[-_SEAL_BYTES:]
    # The kind first: noise is not worth a digest.
    is_look = body.startswith(_LOOK)
    match = None if is_look else _ECHO.match(body)
    if not (is_look or match) or not hmac.compare_digest(end, b" " + seal(body, key)):
        return None
    if match is not None:
        return Echo(int(match[1]), match[2], int(match[3]))
    try:
        return Look(body[len(_LOOK) :].decode())
    except UnicodeDecodeError:
        return None
