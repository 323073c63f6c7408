"""Notices: what listeners are told on the control channel of their partition.

On the wire a kind, what belongs to it, and the seal, one space between::

    look NAME SEAL

`NAME` is UTF-8, may have spaces in it, and is empty for the whole table. The seal is that of
a tick (`relaycore.capturing.ticks`), with the same key, and no tick begins with a letter: neither can be
taken for the other. What is not sealed was said by a stranger, and is nothing.

The kind comes first, since kinds differ in what they may suffer. A look is a hint: any number of
them may be made one, and one that is lost is made good by the next look at the table. Another
kind may be neither dropped nor collapsed, so whoever handles notices asks for the kind.
"""

import hmac
from dataclasses import dataclass
from typing import Final

from relaycore.capturing.ticks import seal

_LOOK: Final = b"look "
_SEAL_BYTES: Final = 41
"""With the space before it."""


@dataclass(frozen=True, slots=True)
class Look:
    """Look this channel up in the table; the whole table if the name is empty."""

    name: str = ""


Notice = Look


def look(name: str, key: bytes) -> bytes:
    """The notice that has listeners look up a channel; the whole table if the name is empty."""
    body = _LOOK + name.encode()
    return body + b" " + seal(body, key)


def parse(payload: bytes, key: bytes) -> Notice | None:
    """Read a notice; None for anything that is not one, or is not sealed with this key."""
    body, end = payload[:-_SEAL_BYTES], payload[-_SEAL_BYTES:]
    # The kind first: noise is not worth a digest.
    if not body.startswith(_LOOK) or not hmac.compare_digest(end, b" " + seal(body, key)):
        return None
    try:
        return Look(body[len(_LOOK) :].decode())
    except UnicodeDecodeError:
        return None
