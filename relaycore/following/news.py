"""News: what a partition's followers are told when something is stored.

The writer publishes them on an internal channel of the partition, in the step that acknowledges, one for each
batch. On the wire a kind, the id of the last entry, what belongs to it, and the seal, one space between::

    stored UPTO CHANNELS SEAL
    moved UPTO SEAL

*stored*: entries up to `UPTO` brought something new to these channels. Names stand one below another, since
none has a line feed in it. *moved*: there are more such channels than are named, or a watermark that had
fallen rises again.

News are a hint. They say where to look and that it is worth while. Nobody reads further for what they say: a
follower asks for the watermark, which only Redis knows at that instant. So the writer can seal them before
that step, once for a batch, and Redis has nothing to compute. Whoever misses one looks once a second. One
that a stranger has heard and publishes again speaks of entries that are read already, and makes nobody look.

The seal is that of ticks and notices (`relaycore.capturing.ticks`), with the key of the partition; those
begin with other words, so none can be taken for another. What is not sealed was said by a stranger, and is
nothing.
"""

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from relaycore.capturing.ticks import seal

MOST_NAMED: Final = 100
"""With more channels than that the news only say that there are some: a name may have 255 bytes."""

_SEAL_BYTES: Final = 41
"""With the space before it."""

_ID: Final = rb"([0-9]{1,13}-[0-9]{1,10})"
_WIRE: Final = re.compile(rb"(?:stored %s (.+)|moved %s)\Z" % (_ID, _ID), re.DOTALL)


@dataclass(frozen=True, slots=True)
class News:
    """Up to the entry of this id something is new in these channels; None: in any."""

    upto: str
    channels: frozenset[str] | None = None


def stored(upto: str, channels: Collection[bytes], key: bytes) -> bytes:
    """Say that entries up to the one of this id brought something to these channels."""
    if len(channels) > MOST_NAMED:
        return moved(upto, key)
    return _sealed(b"stored %s %s" % (upto.encode(), b"\n".join(channels)), key)


def moved(upto: str, key: bytes) -> bytes:
    """Say that something may be new in any channel, up to the entry of this id."""
    return _sealed(b"moved %s" % upto.encode(), key)


def parse(payload: bytes, key: bytes) -> News | None:
    """Read news; None for anything that is not news, or is not sealed with this key."""
    body, end = payload[:-_SEAL_BYTES], payload[-_SEAL_BYTES:]
    # The form first: noise is not worth a digest.
    match = _WIRE.match(body)
    if match is None or not hmac.compare_digest(end, b" " + seal(body, key)):
        return None
    if match[3] is not None:
        return News(match[3].decode())
    try:
        return News(match[1].decode(), frozenset(match[2].decode().split("\n")))
    except UnicodeDecodeError:
        return None


def _sealed(body: bytes, key: bytes) -> bytes:
    return body + b" " + seal(body, key)
