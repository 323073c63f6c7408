"""What a batch is called."""

import hashlib
from collections.abc import Iterable
from typing import Final

_BYTES: Final = 12
"""As many as a message's id has: as hex it looks like one."""


def id_of(messages: Iterable[bytes]) -> str:
    """The 12-byte BLAKE2b hash, as hex, of the ids of its messages, each of 12 bytes, in their order."""
    return hashlib.blake2b(b"".join(messages), digest_size=_BYTES).hexdigest()
