"""Publishes the ticks of a leader, and notices when they are not heard."""

import math
from collections import deque
from collections.abc import Callable
from typing import Final

from channels_app.listening.outlet import Outlet, Reply
from leases_app import deployment
from relaycore.ticks import LEADING, LEFT, State, Tick
from relayproject import keys
from relayproject.wire import Argument

DEAF_SECONDS = 0.7
"""Redis has published a tick, and for so long nothing at all was heard: the connection is dead."""

_RESTING_TICKS: Final = 5
"""So many intervals a leader rests between two ticks that nobody needs."""

_BRISK_TICKS: Final = 2
"""Behind what was heard: one that comes after it, and one that confirms it."""

# One step for Redis: the number that a tick gets is the order in which it is published. The
# hash says what was confirmed last, for a leader that has heard no tick. A leader that was
# frozen meanwhile says less than stands there already. The answer also says who listens, so
# that asking costs nothing. A Redis whose memory is full lets a script through if its first
# write needs none: a leader that may not append leads all the same.
_SCRIPT = """
redis.call('PERSIST', KEYS[1])
local number = redis.call('INCR', KEYS[1])
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
local info = redis.pcall('INFO', 'commandstats')
local calls = -1
if type(info) == 'string' then
  calls = tonumber(string.match(info, 'cmdstat_publish:calls=(%d+)') or '0') + 1
end
local before = redis.call('HMGET', KEYS[2], 'number', 'epoch', 'at', 'calls', 'run_id')
local newer = before[5] ~= ARGV[6] or tonumber(before[1] or 0) < (tonumber(ARGV[3]) or 0)
if ARGV[3] ~= '' and newer then
  redis.call('HSET', KEYS[2], 'number', ARGV[3], 'epoch', ARGV[2], 'at', ARGV[4],
    'calls', ARGV[5], 'run_id', ARGV[6])
end
local confirmed = ARGV[3]
if confirmed == '' then confirmed = '0' end
local body = string.format('%.0f %s %s %s %.0f %.0f %s',
  number, ARGV[2], confirmed, ARGV[7], at, calls, ARGV[8])
redis.call('PUBLISH', ARGV[1], body .. ' ' .. redis.sha1hex(ARGV[10] .. body .. ARGV[10]))
local audience = redis.call('PUBSUB', 'NUMSUB', ARGV[9], ARGV[1])
return {number, audience[2], audience[4], before}
"""


class Ticker:
    """One tick each `interval` seconds, never two under way.

    Fewer while nobody needs them: no standby hears them, nothing was heard that they could confirm, and
    the connection is known to be alive. The first tick that a new standby hears counts it, so the second
    one comes after one interval.

    legacy_consumers: how many listen to the channel of the older kind
    standbys:         how many others heard the last tick that was heard here; 1 if none was heard yet
    """

    def __init__(self, outlet: Outlet, partition: int, interval: float) -> None:
        self._outlet = outlet
        self._partition = partition
        self._channel = deployment.tick_channel(partition)
        self._interval = interval
        self._seal_key = deployment.seal_key(partition)
        self._epoch = 0
        self._under_way = False
        self._ticked_at = float("-inf")
        self._brisk = 0
        self._published = False
        self._unheard_since: float | None = None
        self._heard = 0
        self.heard_at = float("-inf")
        self.legacy_consumers = 0
        self.standbys = 0
        self._audiences: deque[tuple[int, int]] = deque()
        self._begun: Callable[[Tick | None], None] | None = None

    def lead(self, epoch: int, begun: Callable[[Tick | None], None]) -> None:
        """Begin a term: the next tick is due now.

        Once it is published, `begun` is given the last tick that the leader before has confirmed.
        """
        self._epoch = epoch
        self._begun = begun
        self._ticked_at = float("-inf")
        self._brisk = _BRISK_TICKS
        # Until the first tick was heard: who leaves or goes deaf before that leaves it to them.
        self.standbys = 1
        self.sound()

    def turn(self, now: float, state: State, confirmed: Tick | None) -> None:
        """Publish a tick if one is due. `confirmed`: everything heard before it is on the stream."""
        if self.due_in(now) <= 0.0:
            self._ticked_at = now
            self._brisk = max(0, self._brisk - 1)
            self._under_way = True
            self._outlet.call(self._command(state, confirmed), self._answer)
        if self._published and self._unheard_since is None:
            self._unheard_since = now

    def resign(self, confirmed: Tick | None) -> None:
        """Say that this leader has left. Whether it is heard is for the silence to tell."""
        self._outlet.call(self._command(LEFT, confirmed), _ignore)

    def hear(self, number: int, now: float) -> None:
        """A tick came in over the data connection."""
        self.heard_at = now
        self._heard = number
        self._count_standbys()

    def stir(self) -> None:
        """Something was heard that is not a tick: it is to be confirmed soon."""
        self._brisk = _BRISK_TICKS

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
        """Seconds until the next tick; infinity while Redis cannot be given one."""
        if self._under_way or not self._outlet.is_open:
            return math.inf
        is_needed = self.standbys or self._brisk or self._published
        pause = self._interval if is_needed else self._interval * _RESTING_TICKS
        return max(0.0, self._ticked_at + pause - now)

    def ask(self, answer: Callable[[int | None], None]) -> None:
        """Ask Redis for the number of the last tick; None if it cannot be asked, 0 if there was none."""

        def on_reply(reply: Reply) -> None:
            answer(None if isinstance(reply, Exception) else int(reply or 0))

        self._outlet.call(("GET", keys.tick_counter(self._partition)), on_reply)

    def _command(self, state: State, confirmed: Tick | None) -> tuple[Argument, ...]:
        known: tuple[Argument, ...] = ("", "", "", "")
        if confirmed is not None:
            known = (confirmed.number, confirmed.at, confirmed.calls, confirmed.run_id)
        return (
            *("EVAL", _SCRIPT, 2, keys.tick_counter(self._partition), keys.confirmed_tick(self._partition)),
            *(self._channel, self._epoch, *known),
            *(state, self._outlet.run_id, keys.LEGACY_CHANNEL, self._seal_key),
        )

    def _answer(self, reply: Reply) -> None:
        self._under_way = False
        if not isinstance(reply, list):
            return
        number, self.legacy_consumers, audience, before = reply
        self._published = number > self._heard  # Its push may have come in first.
        self._audiences.append((number, audience))
        self._count_standbys()
        if self._begun is not None:
            begun, self._begun = self._begun, None
            begun(_tick(before))

    def _count_standbys(self) -> None:
        """By the tick that was heard here: of its audience the own connection is one.

        Of a later tick it may not be. Redis ends a connection long before its last bytes are read.
        """
        while self._audiences and self._audiences[0][0] <= self._heard:
            number, audience = self._audiences.popleft()
            if number == self._heard:
                self.standbys = audience - 1


def _tick(fields: list[bytes | None]) -> Tick | None:
    number, epoch, at, calls, run_id = fields
    if number is None or epoch is None or at is None or calls is None or run_id is None:
        return None
    return Tick(int(number), int(epoch), int(number), run_id.decode(), LEADING, int(at), int(calls))


def _ignore(reply: Reply) -> None:
    """Nobody waits for it."""
