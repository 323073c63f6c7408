"""By what an output, an alert and the shard of a key are known: BLAKE2b hashes (RFC 7693), without a salt.

=========  =====================================================================================
`_id`      12 bytes of: `r`, rule (16 bytes), revision (8 bytes, big-endian), length of the key
           (4 bytes), key, length of the cause (1 byte), cause, length of the kind of the output
           (1 byte), that kind, index among those of one cause, key and kind (4 bytes)
alert      12 bytes of: `a`, rule, length of the key, key, the cause by which it was opened; as
           hex. It has no revision: an edit of the rule leaves alerts open
shard      8 bytes of: `s`, rule, key; modulo the number of shards
=========  =====================================================================================
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

from relaycore.identity import KEY_BYTES

_REMEMBERED: Final = 4096
"""Keys, and alerts of a rule."""


class Names:
    """Those of one rule under one revision. `rule`: the UUID as hex."""

    def __init__(self, rule: str, revision: int) -> None:
        # What all of them begin with is hashed once.
        known = bytes.fromhex(rule)
        self._output = blake2b(b"r" + known + revision.to_bytes(8), digest_size=KEY_BYTES)
        self._alert = blake2b(b"a" + known, digest_size=KEY_BYTES)
        # Of an alert more is said than that it has begun.
        self.alert_id = lru_cache(_REMEMBERED)(self._alert_id)

    def output_id(self, key: str, cause: str, kind: str, index: int) -> bytes:
        """The `_id` of an output."""
        state = self._output.copy()
        said = f"{chr(len(cause))}{cause}{chr(len(kind))}{kind}".encode()
        state.update(_counted(key) + said + index.to_bytes(4))
        return state.digest()

    def _alert_id(self, key: str, opened: str) -> str:
        """The id of the alert that this cause has opened."""
        state = self._alert.copy()
        state.update(_counted(key) + opened.encode())
        return state.hexdigest()


def output_id(rule: str, revision: int, key: str, cause: str, kind: str, index: int) -> bytes:
    """The `_id` of an output. `rule`: the UUID as hex."""
    return Names(rule, revision).output_id(key, cause, kind, index)


def alert_id(rule: str, key: str, opened: str) -> str:
    """The id of the alert that this cause has opened. `rule`: the UUID as hex."""
    return Names(rule, 0).alert_id(key, opened)


def shard_of(rule: str, key: str, shards: int) -> int:
    """The shard that has this key, from 0. `rule`: the UUID as hex."""
    if shards == 1:
        return 0
    digest = blake2b(b"s" + bytes.fromhex(rule) + key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % shards


@lru_cache(_REMEMBERED)
def _counted(key: str) -> bytes:
    text = key.encode()
    return len(text).to_bytes(4) + text
