"""By what an output, an alert and the shard of a key are known: BLAKE2b hashes (RFC 7693), without a salt.

=========  =====================================================================================
`_id`      12 bytes of: `r`, rule (16 bytes), revision (8 bytes, big-endian), length of the key
           (4 bytes), key, length of the cause (1 byte), cause, length of the kind of the output
           (1 byte), that kind, index among the outputs of one cause and key (4 bytes)
alert      12 bytes of: `a`, rule, length of the key, key, the cause by which it was opened; as
           hex. It has no revision: an edit of the rule leaves alerts open
shard      8 bytes of: `s`, rule, key; modulo the number of shards
=========  =====================================================================================
"""

from hashlib import blake2b

from relaycore.identity import KEY_BYTES


def output_id(rule: str, revision: int, key: str, cause: str, kind: str, index: int) -> bytes:
    """The `_id` of an output. `rule`: the UUID as hex."""
    said = b"".join(
        (
            *(b"r", bytes.fromhex(rule), revision.to_bytes(8), _counted(key)),
            *(bytes((len(cause),)), cause.encode(), bytes((len(kind),)), kind.encode(), index.to_bytes(4)),
        )
    )
    return blake2b(said, digest_size=KEY_BYTES).digest()


def alert_id(rule: str, key: str, opened: str) -> str:
    """The id of the alert that this cause has opened. `rule`: the UUID as hex."""
    said = b"a" + bytes.fromhex(rule) + _counted(key) + opened.encode()
    return blake2b(said, digest_size=KEY_BYTES).hexdigest()


def shard_of(rule: str, key: str, shards: int) -> int:
    """The shard that has this key, from 0. `rule`: the UUID as hex."""
    if shards == 1:
        return 0
    digest = blake2b(b"s" + bytes.fromhex(rule) + key.encode(), digest_size=8).digest()
    return int.from_bytes(digest) % shards


def _counted(key: str) -> bytes:
    text = key.encode()
    return len(text).to_bytes(4) + text
