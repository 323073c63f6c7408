"""The deduplication key of a message, which IS its MongoDB `_id`.

So the primary key enforces uniqueness, retries and take-overs need no coordination,
and one unique index is enough. The key is the 12-byte BLAKE2b hash (RFC 7693,
digest length 12) of these bytes, one after another:

=========  ===================================================================
policy     hashed
=========  ===================================================================
`content`  `c`, length of the channel (2 bytes, big-endian), channel, payload
`field`    `f`, length of the channel, channel, canonical JSON of the field
`every`    `e`, length of the channel, channel, tick name, space, k (8 bytes,
           big-endian, from 1), payload: its k-th occurrence in that tick
`every`,   `p`, length of the producer (2 bytes, big-endian), producer, length
published  of the channel, channel, length of the idempotency key (4 bytes),
           idempotency key
`every`,   `r`, and what is written down at `relaycore.alerting.naming`
by a rule
=========  ===================================================================

What was published here and not heard has no tick. Two producers may count 1, 2, 3 as idempotency keys
without erasing each other: the producer is part of it. The payload is not: under one idempotency key
the first one stands.

Canonical JSON is ASCII, with sorted keys and without spaces; `1`, `1.0`, `"1"` and
`true` are four values, and a number with a fraction or an exponent is compared as a
double. A message that has no such field (not JSON, not an object, field absent or
null, or with a number that JSON does not have) is identified by its content.
"""

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from relaycore.policy import Policy

KEY_BYTES: Final = 12

_COUNTED_BYTES: Final = 1024
"""A longer payload is counted by its hash: what a channel counted last stays in memory while it is silent."""

_canonical: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode

Key = Callable[[bytes], bytes]
"""From a payload to its 12-byte key."""


def content_key(channel: bytes) -> Key:
    """Keys under the policy `content`."""
    # Hashing the channel once and copying the state is a third quicker than hashing both.
    copy = blake2b(_prefix(b"c", channel), digest_size=KEY_BYTES).copy

    def key(payload: bytes) -> bytes:
        state = copy()
        state.update(payload)
        return state.digest()

    return key


def field_key(channel: bytes, field: str) -> Key:
    """Keys under the policy `{"field": field}`."""
    prefix = _prefix(b"f", channel)
    by_content = content_key(channel)

    def key(payload: bytes) -> bytes:
        found = canonical_field(payload, field)
        if found is None:
            return by_content(payload)
        return blake2b(prefix + found, digest_size=KEY_BYTES).digest()

    return key


def canonical_field(payload: bytes, field: str) -> bytes | None:
    """The field of a JSON object as canonical JSON; None if there is none."""
    try:
        decoded = json.loads(payload)
        # null, and below NaN, are what many messages have by accident: to take them for
        # an id would store only the first of these messages.
        if not isinstance(decoded, dict) or decoded.get(field) is None:
            return None
        return _canonical(decoded[field]).encode("ascii")
    except (ValueError, RecursionError):
        # ValueError is bad JSON, bad UTF-8, integers of over 4,300 digits, and NaN or
        # infinity in the field; RecursionError is nesting of thousands of levels.
        return None


class Clock:
    """The tick in which a connection hears, shared by the keys of all its channels.

    whole: the connection has heard this tick from its beginning, as others have
    """

    __slots__ = ("tick", "whole")

    def __init__(self, tick: bytes) -> None:
        self.tick = tick
        self.whole = False


class EveryKey:
    """Keys under the policy `every`: they depend on the tick and on what it brought before.

    partial: these keys are no other listener's, since this one has not heard the whole tick
    """

    __slots__ = ("_clock", "_copy_first", "_heard", "_named", "_prefix", "_tick", "_whole")

    def __init__(self, channel: bytes, clock: Clock) -> None:
        self._prefix = _prefix(b"e", channel)
        self._clock = clock
        self._heard: dict[bytes, int] = {}
        self._begin(b"", whole=False)
        self._tick: bytes | None = None  # None of the clock's: the first key begins anew.

    def __call__(self, payload: bytes) -> bytes:
        if self._tick is not self._clock.tick:
            # Noticed here, not announced: a tick then costs nothing for the channels that are silent.
            self._begin(self._clock.tick, whole=self._clock.whole)
        counted = payload if len(payload) <= _COUNTED_BYTES else blake2b(payload).digest()
        k = self._heard[counted] = self._heard.get(counted, 0) + 1
        if k > 1:
            return blake2b(self._named + k.to_bytes(8) + payload, digest_size=KEY_BYTES).digest()
        state = self._copy_first()
        state.update(payload)
        return state.digest()

    @property
    def partial(self) -> bool:
        """Whether the next key is this listener's alone."""
        return not (self._whole if self._tick is self._clock.tick else self._clock.whole)

    def restart(self, name: bytes) -> None:
        """The channel joins in the middle of a tick. `name`, which is unique, stands for the tick."""
        self._begin(name, whole=False)
        self._tick = self._clock.tick

    def _begin(self, name: bytes, *, whole: bool) -> None:
        self._tick = name
        self._whole = whole
        self._named = self._prefix + name + b" "
        # Most come once in a tick: as in `content_key`, what they begin with is hashed once. So `every`
        # takes 0.3 us more for a message than `content`; it was 0.5.
        self._copy_first = blake2b(self._named + (1).to_bytes(8), digest_size=KEY_BYTES).copy
        self._heard = {}


def make_key(policy: Policy, channel: bytes, clock: Clock) -> Key:
    """What computes the keys of `channel` under `policy`."""
    if policy.kind == "every":
        return EveryKey(channel, clock)
    if policy.kind == "field":
        return field_key(channel, policy.field)
    return content_key(channel)


def published_key(producer: bytes, channel: bytes, idempotency_key: bytes) -> bytes:
    """The key of a message that was published here, under the policy `every`."""
    producer_part = b"p" + len(producer).to_bytes(2) + producer
    channel_part = len(channel).to_bytes(2) + channel
    said = producer_part + channel_part + len(idempotency_key).to_bytes(4) + idempotency_key
    return blake2b(said, digest_size=KEY_BYTES).digest()


PublishedKey = Callable[[bytes, bytes], bytes]
"""From a payload and its idempotency key to its 12-byte key."""


def make_published_key(policy: Policy, channel: bytes, producer: bytes) -> PublishedKey:
    """What computes the keys of what `producer` publishes on `channel` under `policy`.

    Only under `every` the idempotency key counts; who has none of its own is given a random one.
    Under the others the policy alone decides: so the same message, heard and published, is stored once.
    """
    if policy.kind == "every":
        return lambda payload, idempotency_key: published_key(producer, channel, idempotency_key)
    key = field_key(channel, policy.field) if policy.kind == "field" else content_key(channel)
    return lambda payload, idempotency_key: key(payload)


def _prefix(kind: bytes, channel: bytes) -> bytes:
    return kind + len(channel).to_bytes(2) + channel
