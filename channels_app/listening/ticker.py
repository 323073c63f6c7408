"""Publishes the ticks of a leader, and notices when they are not heard."""

from channels_app.listening.outlet import Outlet, Reply
from relaycore.ticks import Tick
from relayproject import keys
from relayproject.wire import Argument

DEAF_SECONDS = 1.0
"""Redis has published a tick, and for so long nothing at all was heard: the connection is dead."""

# One step for Redis: the number that a tick gets is the order in which it is published. The
# answer also says how many consumers of the older kind there are, so that asking costs nothing.
_SCRIPT = """
local number = redis.call('INCR', KEYS[1])
redis.call('PUBLISH', ARGV[1], number .. ' ' .. ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
return {number, redis.call('PUBSUB', 'NUMSUB', ARGV[5])[2]}
"""


class Ticker:
    """One tick each `interval` seconds, never two under way."""

    def __init__(self, outlet: Outlet, partition: int, epoch: int, interval: float) -> None:
        self._outlet = outlet
        self._partition = partition
        self._epoch = epoch
        self._interval = interval
        self._under_way = False
        self._next_at = 0.0
        self._published = False
        self._unheard_since: float | None = None
        self.heard: Tick | None = None
        self.heard_at = float("-inf")
        self.confirmed = 0
        self.legacy_consumers = 0

    def turn(self, now: float) -> None:
        """Publish a tick if one is due."""
        if not self._under_way and self._outlet.is_open and now >= self._next_at:
            self._next_at = now + self._interval
            self._under_way = True
            self._outlet.call(self._command(), self._answer)
        if self._published and self._unheard_since is None:
            self._unheard_since = now

    def hear(self, tick: Tick, now: float) -> None:
        """A tick came in over the data connection."""
        self.heard = tick
        self.heard_at = now

    def sound(self) -> None:
        """Something came in over the data connection, or it is a new one: it is not dead.

        Anything counts, not only the tick that is waited for: under load that one may
        stand behind seconds of messages.
        """
        self._published = False
        self._unheard_since = None

    def is_deaf(self, now: float) -> bool:
        """Whether Redis publishes ticks that the data connection does not bring."""
        return self._unheard_since is not None and now - self._unheard_since > DEAF_SECONDS

    def due_in(self, now: float) -> float:
        """Seconds until the next tick."""
        return max(0.0, self._next_at - now)

    def _command(self) -> tuple[Argument, ...]:
        return (
            *("EVAL", _SCRIPT, 1, keys.tick_counter(self._partition)),
            keys.tick_channel(self._partition),
            *(self._epoch, self.confirmed, self._outlet.run_id),
            keys.LEGACY_CHANNEL,
        )

    def _answer(self, reply: Reply) -> None:
        self._under_way = False
        if isinstance(reply, list):
            self._published = True
            self.legacy_consumers = int(reply[1])
