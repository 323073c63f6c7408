"""Ticks: the markers that cut the common order of a Redis node into pieces.

One Redis node writes to all its subscribers in the order in which it executes, so
all connections that hear the same ticks agree on the tick in which a message fell.
The leader of a partition publishes one every 100 ms on the partition's internal
channel. A tick proves that the path publisher → Redis → listener works, it is the
leader's heartbeat for the standbys, it tells them what they need not hold any more,
and it is part of a message's identity under the policy `every`.

On the wire, ASCII, one space between::

    NUMBER EPOCH CONFIRMED STATE AT CALLS RUN_ID CHANGES SEAL

`CHANGES` are the policies that begin at this tick (`relaycore.capturing.policies`): `-`, or base64 of JSON,
`[[channel, policy], ...]`.

Anybody may publish on a channel of Redis, and a forged tick could depose a leader or
make two messages one. So a tick is sealed: `SEAL` is the SHA-1 of key, what stands before
it, and key, in hex. That is what a script in Redis can compute; the key on both sides
keeps the length extension of SHA-1 out.
"""

import base64
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, Literal, Self, cast

from relaycore.capturing.policies import Changes
from relaycore.policy import parse

LEADING: Final = "leading"
LEAVING: Final = "leaving"
LEFT: Final = "left"

TickState = Literal["leading", "leaving", "left"]

_NO_CHANGES: Final = b"-"

_WIRE: Final = re.compile(
    rb"([0-9]{1,19}) ([0-9]{1,19}) ([0-9]{1,19}) (leading|leaving|left) "
    rb"([0-9]{1,19}) (-1|[0-9]{1,19}) ([!-~]+) (-|[A-Za-z0-9+/=]+) ([0-9a-f]{40})\Z"
)


@dataclass(frozen=True, slots=True)
class Tick:
    """One marker.

    number:    counted by Redis itself, so it grows whoever publishes
    epoch:     of the lease under which the leader published it
    confirmed: everything heard before the tick of this number is on the stream
    run_id:    of the Redis server; another one means that Redis restarted between
    state:     `leading`; `leaving`: whoever hears the first such tick holds what comes
               after it; `left`: whatever came before that tick is on the stream, lead now
    at:        when Redis published it, in ms since 1970, by its clock
    calls:     how often Redis had executed PUBLISH by then, this one included. Left out is what Relay
               itself has published in this partition, which nobody misses: news
               (`relaycore.following.news`), notices and echoes (`relaycore.capturing`). -1: not known
    changes:   the policies that hold from this tick on, by channel
    """

    number: int
    epoch: int
    confirmed: int
    run_id: str
    state: TickState = "leading"
    at: int = 0
    calls: int = -1
    changes: Changes = ()

    @classmethod
    def parse(cls, payload: bytes, key: bytes) -> Self | None:
        """Read a tick; None for anything that is not one, or is not sealed with this key."""
        match = _WIRE.match(payload)
        if match is None or not hmac.compare_digest(match[9], seal(payload[: match.end(8)], key)):
            return None
        number, epoch, confirmed, state, at, calls, run_id, changes = map(bytes.decode, match.groups()[:8])
        return cls(
            int(number),
            int(epoch),
            int(confirmed),
            run_id,
            cast("TickState", state),
            int(at),
            int(calls),
            _unpack(changes),
        )

    @classmethod
    def confirmed_in(cls, fields: Sequence[bytes | None]) -> Self | None:
        """The last one that was confirmed, by what stands beside the stream; None if that is not whole.

        `fields`: number, epoch, at, calls, run_id
        """
        number, epoch, at, calls, run_id = fields
        if number is None or epoch is None or at is None or calls is None or run_id is None:
            return None
        return cls(int(number), int(epoch), int(number), run_id.decode(), LEADING, int(at), int(calls))

    @property
    def begins_anew(self) -> bool:
        """Whether Redis knew of no tick before: it is empty, or has forgotten what stood there.

        A counter that was not there begins with the time (`channels_app.listening.ticker`).
        """
        return self.number == self.at

    @property
    def name(self) -> bytes:
        """What tells this tick from every other one, also across restarts of Redis."""
        return b"%s %d" % (self.run_id.encode(), self.number)


def seal(body: bytes, key: bytes) -> bytes:
    """The seal of what stands before it."""
    return sha1(key + body + key).hexdigest().encode()  # noqa: S324 -- all that a script in Redis has


def pack(changes: Changes) -> bytes:
    """What a tick says of policies that begin with it, without spaces."""
    if not changes:
        return _NO_CHANGES
    listed = [[channel.decode(), policy.as_json()] for channel, policy in changes]
    return base64.b64encode(json.dumps(listed).encode())


def _unpack(text: str) -> Changes:
    if text == "-":
        return ()
    # Sealed by who has packed it: anything else than this form is a mistake of our own.
    return tuple((channel.encode(), parse(policy)) for channel, policy in json.loads(base64.b64decode(text)))


def missed_at_most(before: Tick, after: Tick) -> int | None:
    """How many messages Redis has published between two ticks, at most; None if it cannot be known.

    Redis counts what is published on any channel, so this is a bound and not a number.
    """
    if before.run_id != after.run_id or before.calls < 0 or after.calls < before.calls:
        return None
    calls, ticks = after.calls - before.calls, after.number - before.number
    # Each tick is a call. More ticks than calls: one of the two counters was set back meanwhile.
    return calls - ticks if 0 <= ticks <= calls else None
