"""Gives Redis what a listener says beside the stream: its ticks, and the proofs of its standbys."""

import time
from collections.abc import Callable, Iterable

import hiredis
import redis

from channels_app.listening.outlet import Outlet, Reply
from leases_app import deployment
from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.redis import appending
from relaybase.redis.appending import Numbers
from relaybase.redis.wire import Argument
from relaycore import legacy
from relaycore.capturing import policies
from relaycore.capturing.ticks import Tick, pack
from relaycore.errors import Disconnected
from relaycore.listening.effects import Count, Locate, Prove, Publish
from relaycore.listening.outside import Published
from relaycore.listening.protocol import ListenerProtocol
from relaycore.listening.standbys import Proof

# One step for Redis: the number that a tick gets is the order in which it is published, and the policies
# that begin with it stand beside the stream as soon as anybody can hear it. The first hash says what was
# confirmed last, for a leader that has heard no tick; one that was frozen meanwhile says less than stands
# there already. It also keeps the highest epoch that ever ticked: PostgreSQL may go back, and what it then
# calls a new term must not have the number of an old one. What ticks below that epoch confirms nothing. And
# how much PostgreSQL has acknowledged: whoever leads next finds out whether it still has it.
#
# The answer also says who listens and which standbys have proved to be whole, so that asking costs nothing.
# What was proved long ago, or is beyond the counter, is of the past. A tick that may not be published is not
# counted: whoever hears counts on it that what is counted arrives.
#
# What Relay itself publishes is missed by no listener: news (`relaycore.following.news`), notices and echoes
# (`relaycore.capturing`). It is counted as `told`, and taken off Redis's count. If there is more of it than
# that, the count was begun anew, and so is this one.
#
# How many messages were appended is kept up, should Redis forget it (`relaybase.redis.appending`).
#
# A counter that was not there begins with the time: ticks name messages under `every`, so a number must
# not come twice, also if somebody has deleted the counter.
#
# A Redis whose memory is full lets a script through if its first write needs none: a leader that may
# not append leads all the same, and learns from it that there is no room.
_TICK = """
local number = redis.pcall('INCR', KEYS[1])
local room = 1
if type(number) == 'table' then
  room = 0
  redis.call('PERSIST', KEYS[1])
  number = redis.call('INCR', KEYS[1])
end
local time = redis.call('TIME')
local at = time[1] * 1000 + math.floor(time[2] / 1000)
if number == 1 then
  number = at
  redis.call('SET', KEYS[1], string.format('%.0f', number))
end
local known = redis.call('HMGET', KEYS[5], 'upto', 'told')
local upto, told = tonumber(known[1]) or 0, tonumber(known[2]) or 0
local info = redis.pcall('INFO', 'commandstats')
local calls = -1
if type(info) == 'string' then
  calls = tonumber(string.match(info, 'cmdstat_publish:calls=(%d+)') or '0') + 1 - told
  if calls < 0 then
    calls = calls + told
    redis.call('HSET', KEYS[5], 'told', '0')
  end
end
local before = redis.call('HMGET', KEYS[2], 'number', 'epoch', 'at', 'calls', 'run_id', 'term', 'writes')
local term = tonumber(before[6] or 0)
local confirmed = ARGV[3]
if confirmed == '' or tonumber(ARGV[2]) < term then confirmed = '0' end
local body = string.format('%.0f %s %s %s %.0f %.0f %s ',
  number, ARGV[2], confirmed, ARGV[7], at, calls, ARGV[8]) .. ARGV[11]
local said = redis.pcall('PUBLISH', ARGV[1], body .. ' ' .. redis.sha1hex(ARGV[10] .. body .. ARGV[10]))
if type(said) == 'table' then
  redis.call('DECR', KEYS[1])
  return said
end
if tonumber(ARGV[2]) > term then
  redis.call('HSET', KEYS[2], 'term', ARGV[2])
end
if tonumber(ARGV[13]) > tonumber(before[7] or 0) then
  redis.call('HSET', KEYS[2], 'writes', ARGV[13])
end
local newer = before[5] ~= ARGV[6] or tonumber(before[1] or 0) < tonumber(confirmed)
if confirmed ~= '0' and newer then
  redis.call('HSET', KEYS[2], 'number', ARGV[3], 'epoch', ARGV[2], 'at', ARGV[4],
    'calls', ARGV[5], 'run_id', ARGV[6])
end
for i = 14, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[3], ARGV[i])
  else
    redis.call('HSET', KEYS[3], ARGV[i], ARGV[i + 1])
  end
end
if upto < tonumber(ARGV[12]) then
  upto = tonumber(ARGV[12])
  redis.call('HSET', KEYS[5], 'upto', ARGV[12])
end
local proofs = redis.call('HGETALL', KEYS[4])
for i = 2, #proofs, 2 do
  local proved = tonumber(string.match(proofs[i], '^%d+')) or -1
  if proved > number or proved < number - 100 then redis.call('HDEL', KEYS[4], proofs[i - 1]) end
end
local audience = redis.call('PUBSUB', 'NUMSUB', ARGV[9], ARGV[1])
local policies = redis.call('HLEN', KEYS[3])
return {number, room, audience[2], audience[4], before, proofs, policies, string.format('%.0f', upto)}
"""

# Also through a Redis that is full: that a standby holds everything is what matters then.
_PROVE = """
redis.call('PERSIST', KEYS[1])
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
"""


class Ticker:
    """The commands of one partition's listener, and what their answers mean to `protocol`.

    legacy_consumers: how many listen to the channel of the older kind
    numbers:          those of the partition's messages
    """

    def __init__(self, outlet: Outlet, partition: int, name: bytes, protocol: ListenerProtocol) -> None:
        self._outlet = outlet
        self.numbers = Numbers()
        self._partition = partition
        self._name = name
        self._channel = deployment.tick_channel(partition)
        self._seal_key = deployment.seal_key(partition)
        self._protocol = protocol
        self.legacy_consumers = 0

    def do(self, effect: Publish | Prove | Locate | Count) -> None:
        """Ask Redis, and tell the protocol what it has answered."""
        match effect:
            case Publish():
                self._publish(effect)
            case Prove(number, digest):
                proof = f"{number} {digest}"
                command = ("EVAL", _PROVE, 1, keys.standbys(self._partition), self._name, proof)
                self._outlet.call(command, lambda reply: self._protocol.proved(_refusal(reply)))
            case Locate(connection):
                self._locate(connection)
            case Count(after):
                self._count(lambda number: self._protocol.counted(after, number, time.monotonic()))

    def announce(self, documents: Iterable[bytes]) -> None:
        """Publish what was appended, for consumers of the older kind, if there are any."""
        if self.legacy_consumers:
            for document in documents:
                self._outlet.call(("PUBLISH", keys.LEGACY_CHANNEL, legacy.as_json(document)), _ignore)

    def _publish(self, order: Publish) -> None:
        def on_reply(reply: Reply) -> None:
            if not isinstance(reply, list):
                self._protocol.not_published(_refusal(reply))
                return
            number, room, self.legacy_consumers, subscribers, beside, proofs, known, upto = reply
            self.numbers.learn(int(upto))
            *fields, term, writes = beside
            before, counted = Tick.confirmed_in(fields), (int(term or 0), int(writes or 0))
            answer = Published(number, subscribers, _proofs(proofs), before, bool(room), known, *counted)
            self._protocol.published(answer, time.monotonic())

        self._outlet.call(self._tick_command(order), on_reply if order.answered else _ignore)

    def _locate(self, connection: bytes) -> None:
        """First the number of the last tick, then the policies in force: so they hold at that tick.

        No channel is subscribed before all of it is answered, so any time before that will do for echoes.
        """
        numbers: list[int | None] = []
        terms: list[int] = []
        echoes: list[int | None] = []

        def on_policies(reply: Reply) -> None:
            known = isinstance(reply, list) and echoes[0] is not None
            number = numbers[0] if known else None
            pairs = zip(reply[::2], reply[1::2], strict=True) if known else ()
            in_force, now = policies.read(pairs), time.monotonic()
            self._protocol.located(connection, number, in_force, now, terms[0], echoes[0] or 0)

        self._count(numbers.append)
        self._outlet.call(
            appending.given_command(self._partition),
            lambda reply: echoes.append(None if isinstance(reply, Exception) else int(reply)),
        )
        self._outlet.call(
            ("HMGET", keys.confirmed_tick(self._partition), "term"),
            lambda reply: terms.append(_term(reply)),
        )
        self._outlet.call(("HGETALL", keys.policies(self._partition)), on_policies)

    def _count(self, answer: Callable[[int | None], None]) -> None:
        """The number of the last tick; None if it cannot be asked, 0 if there was none."""

        def on_reply(reply: Reply) -> None:
            answer(None if isinstance(reply, Exception) else int(reply or 0))

        self._outlet.call(("GET", keys.tick_counter(self._partition)), on_reply)

    def _tick_command(self, order: Publish) -> tuple[Argument, ...]:
        known: tuple[Argument, ...] = ("", "", "", "")
        if (confirmed := order.confirmed) is not None:
            known = (confirmed.number, confirmed.at, confirmed.calls, confirmed.run_id)
        changes: list[Argument] = []
        for channel, policy in order.changes:
            changes += (channel, policies.written(policy))
        partition = self._partition
        return (
            *("EVAL", _TICK, 5, keys.tick_counter(partition), keys.confirmed_tick(partition)),
            *(keys.policies(partition), keys.standbys(partition), keys.appended(partition)),
            *(self._channel, order.epoch, *known),
            *(order.state, self._outlet.run_id, keys.LEGACY_CHANNEL, self._seal_key),
            *(pack(order.changes), self.numbers.upto, order.writes, *changes),
        )


def highest_term(partition: int) -> int:
    """The highest epoch that ever ticked, by Redis; 0 if none has.

    Raises:
        Disconnected: Redis does not answer, or refuses.
    """
    try:
        return _term(shared_redis().hmget(keys.confirmed_tick(partition), "term"))
    except redis.RedisError as exc:
        raise Disconnected(f"Redis cannot be asked who has led: {exc}") from exc


def _term(reply: Reply) -> int:
    return int(reply[0] or 0) if isinstance(reply, list) else 0


def _refusal(reply: Reply) -> str:
    """What Redis said when it refused; empty if it did not, or if nobody knows what became of the command."""
    return str(reply) if isinstance(reply, hiredis.ReplyError) else ""


def _proofs(fields: list[bytes]) -> dict[bytes, Proof]:
    found = {}
    for name, text in zip(fields[::2], fields[1::2], strict=True):
        number, _, digest = text.partition(b" ")
        if number.isdigit() and digest.isdigit():
            found[name] = int(number), int(digest)
    return found


def _ignore(reply: Reply) -> None:
    """Nobody waits for it."""
