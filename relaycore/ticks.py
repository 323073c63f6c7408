"""Ticks: the markers that cut the common order of a Redis node into pieces.

One Redis node writes to all its subscribers in the order in which it executes, so
all connections that hear the same ticks agree on the tick in which a message fell.
The leader of a partition publishes one every 100 ms on the partition's internal
channel. A tick proves that the path publisher → Redis → listener works, it is the
leader's heartbeat for the standbys, and it is part of a message's identity under
the policy `every`.

On the wire: `NUMBER EPOCH CONFIRMED RUN_ID`, ASCII, one space between.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

_WIRE: Final = re.compile(rb"([0-9]{1,19}) ([0-9]{1,19}) ([0-9]{1,19}) ([!-~]+)\Z")


@dataclass(frozen=True, slots=True)
class Tick:
    """One marker.

    number:    counted by Redis itself, so it grows whoever publishes
    epoch:     of the lease under which the leader published it
    confirmed: everything heard before the tick of this number is on the stream
    run_id:    of the Redis server; another one means that Redis restarted between
    """

    number: int
    epoch: int
    confirmed: int
    run_id: str

    @classmethod
    def parse(cls, payload: bytes) -> Self | None:
        """Read a tick; None for anything that is not one, since anybody may publish."""
        match = _WIRE.match(payload)
        if match is None:
            return None
        return cls(int(match[1]), int(match[2]), int(match[3]), match[4].decode("ascii"))

    @property
    def name(self) -> bytes:
        """What tells this tick from every other one, also across restarts of Redis."""
        return b"%s %d" % (self.run_id.encode(), self.number)
