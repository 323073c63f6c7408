"""How anything gets onto a partition's stream: one step for Redis, whoever appends.

Each message that is appended has a running number in its partition. An entry carries the number of
its last message (`relaycore.envelope.F_UPTO`), and beside the stream stands how far they have come. So
whoever reads the stream knows what ought to stand on it: what was deleted, cut off or thrown away
before it was stored is missing in the numbers.

Numbers only grow. A Redis that has lost its data has lost how far they have come too, but whoever
appends knows it still: what it gives as `known` is the least that they go on from. The lease of whoever leads
has it too, up to the last second (`leases_app.models.Lease.appended`), for when nobody is left.

A message whose append was sent again after a lost answer stands there twice, with two numbers.

Whoever appends names the layout that he works under (`relaycore.layout`), and is refused if another one
stands beside the stream. A Redis that has lost its data gets it again with the first entry.

What is published by HTTP on a channel that is listened to goes out as PUBLISH too, in the same step and
after it stands on the stream: a Redis that takes nothing publishes nothing. Listeners are to store none of
it a second time. So what goes out on a channel is one *run*: a sealed notice on the control channel that
says how many come (`relaycore.capturing.notices`), and directly behind it so many PUBLISHes. Redis lets
nothing between. If it refuses one of them in the middle, something on the control channel ends the run
early: else listeners would take for the rest of it what somebody else publishes next.

A large run would overrun what Redis keeps for a listener that reads slowly (`client-output-buffer-limit`).
So beyond `ECHO_BYTES` everything is appended in one step, and when that is answered the runs go out in steps
of so much (`cut`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import redis

from relaybase import keys
from relaybase.redis.scripts import MISFIT
from relaybase.redis.wire import Argument
from relaycore.envelope import F_UPTO
from relaycore.publishing.queue import Echo

# A Redis whose memory is full refuses XADD here, since it is the first write; what follows it is let through.
_APPEND: Final = (
    MISFIT
    + """
local layout = redis.call('GET', KEYS[3])
local other = misfit(layout, ARGV[3])
if other then return other end
local upto = math.max(tonumber(redis.call('HMGET', KEYS[2], 'upto')[1]) or 0, tonumber(ARGV[1])) + ARGV[2]
upto = string.format('%.0f', upto)
local id = redis.call('XADD', KEYS[1], '*', ARGV[4], upto, unpack(ARGV, 5))
redis.call('HSET', KEYS[2], 'upto', upto)
if not layout then redis.call('SET', KEYS[3], ARGV[3]) end
return {id, upto}
"""
)

# `echo` publishes the runs that stand in ARGV from `at` on, each as its channel, how many there are, and the
# payloads; why Redis refuses one, empty if it does not.
#
# A notice has a number, by which listeners know one that somebody has recorded and publishes again. It is
# above all that were given before, and not below the time in microseconds: so it is above them as well if
# Redis has forgotten what it gave.
#
# All of it is counted: it is missed by no listener (`told`, see `channels_app.listening.ticker`).
_ECHO: Final = """
local function echo(appended, counter, control, key, at)
  local told, refused = 0, ''
  local function say(channel, payload)
    local said = redis.pcall('PUBLISH', channel, payload)
    if type(said) == 'table' then refused = said.err return false end
    told = told + 1
    return true
  end
  local time = redis.call('TIME')
  local now = time[1] * 1000000 + time[2]
  while at < #ARGV do
    local channel, count = ARGV[at], tonumber(ARGV[at + 1])
    local number = math.max((tonumber(redis.call('GET', counter)) or 0) + 1, now)
    redis.call('SET', counter, string.format('%.0f', number))
    local body = string.format('echo %.0f ', number) .. channel .. ' ' .. count
    if say(control, body .. ' ' .. redis.sha1hex(key .. body .. key)) then
      for i = at + 2, at + 1 + count do
        if not say(channel, ARGV[i]) then
          redis.pcall('PUBLISH', control, '')
          told = told + 1
          break
        end
      end
    end
    at = at + 2 + count
  end
  if told > 0 then redis.call('HINCRBY', appended, 'told', told) end
  return refused
end
"""

# KEYS: stream, appended, layout, counter of echoes. ARGV: a number that was given, the layout, the name of
# the field `upto`, the control channel, its key, how many entries; for each its messages, how many names and
# values, and those; then what `echo` takes.
_PUBLISH: Final = (
    _ECHO
    + MISFIT
    + """
local layout = redis.call('GET', KEYS[3])
local other = misfit(layout, ARGV[2])
if other then return other end
local upto = math.max(tonumber(redis.call('HMGET', KEYS[2], 'upto')[1]) or 0, tonumber(ARGV[1]))
local ids, at = {}, 7
for _ = 1, tonumber(ARGV[6]) do
  local last = at + 1 + ARGV[at + 1]
  upto = upto + ARGV[at]
  local number = string.format('%.0f', upto)
  ids[#ids + 1] = redis.call('XADD', KEYS[1], '*', ARGV[3], number, unpack(ARGV, at + 2, last))
  at = last + 1
end
redis.call('HSET', KEYS[2], 'upto', string.format('%.0f', upto))
if not layout then redis.call('SET', KEYS[3], ARGV[2]) end
-- Whatever keeps it from going out: it stands on the stream, which is what an error would deny.
local went, refused = pcall(echo, KEYS[2], KEYS[4], ARGV[4], ARGV[5], at)
if not went then refused = type(refused) == 'table' and refused.err or tostring(refused) end
return {ids, string.format('%.0f', upto), refused}
"""
)

# KEYS: appended, layout, counter of echoes. ARGV: the layout, the control channel, its key; then what `echo`
# takes. It stands on the stream, so it goes out through a Redis that has become full meanwhile as well.
_ECHO_ALONE: Final = (
    _ECHO
    + MISFIT
    + """
local other = misfit(redis.call('GET', KEYS[2]), ARGV[1])
if other then return other end
redis.call('PERSIST', KEYS[1])
return echo(KEYS[1], KEYS[3], ARGV[2], ARGV[3], 4)
"""
)

# KEYS: counter of echoes. All notices up to the answer were given before: it is raised to it. Who may not
# write takes it as it is.
_GIVEN: Final = """
redis.pcall('PERSIST', KEYS[1])
local time = redis.call('TIME')
local before = redis.call('GET', KEYS[1]) or '0'
local given = string.format('%.0f', math.max(tonumber(before), time[1] * 1000000 + time[2]))
if redis.pcall('SET', KEYS[1], given).err then return before end
return given
"""

ECHO_BYTES: Final = 256 << 10
"""So much one step publishes at most, as Redis writes it to one subscriber, unless one payload is larger."""

_PUSH_BYTES: Final = 64
"""What Redis writes beside the channel and the payload, at most."""

Entry = tuple[int, Sequence[Argument]]
"""How many messages, and the names and values of the fields, alternately."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What Redis answers to `publish_command`.

    ids:     of the entries, in order
    upto:    the running number of the last message
    refused: why not everything was published, by Redis; empty if all was. It stands on the stream in any case
    """

    ids: tuple[str, ...]
    upto: int
    refused: str

    @classmethod
    def read(cls, reply: Any) -> "Appended":
        """The answer as the client gives it: bytes in lists."""
        ids, upto, refused = reply
        return cls(tuple(entry.decode() for entry in ids), int(upto), refused.decode(errors="replace"))


class Numbers:
    """The highest running number that one appender knows to have been given, as `upto`."""

    def __init__(self) -> None:
        self.upto = 0

    def learn(self, upto: int) -> None:
        """Redis says that it has given this one."""
        self.upto = max(self.upto, upto)


def command(
    partition: int, messages: int, fields: Sequence[Argument], *, layout: str, known: int = 0
) -> tuple[Argument, ...]:
    """The command that appends one entry of so many messages; the answer is its id and their last number.

    fields: names and values, alternately
    layout: as the caller knows it; `LAYOUT ...` is the error if it is another one
    known:  a number that was given already, as far as the caller knows
    """
    beside = (keys.stream(partition), keys.appended(partition), keys.layout(partition))
    return ("EVAL", _APPEND, len(beside), *beside, known, messages, layout, F_UPTO, *fields)


def publish_command(
    partition: int,
    entries: Sequence[Entry],
    *,
    layout: str,
    known: int = 0,
    echoes: Sequence[Echo] = (),
    control: str = "",
    seal_key: bytes = b"",
) -> tuple[Argument, ...]:
    """The command that appends these entries, all or none, and then publishes `echoes` beside them.

    The answer is read by `Appended.read`. An error means that nothing stands and nothing was published. Of
    echoes one step takes what `cut` makes one of; if it makes more, they go out by `echo_command`, once this
    one is answered.

    layout, known:     as in `command`
    control, seal_key: the partition's control channel, and what seals its notices; needed for echoes
    """
    arguments: list[Argument] = [known, layout, F_UPTO, control, seal_key, len(entries)]
    for messages, fields in entries:
        arguments += (messages, len(fields), *fields)
    beside = (
        keys.stream(partition),
        keys.appended(partition),
        keys.layout(partition),
        keys.echoes(partition),
    )
    return ("EVAL", _PUBLISH, len(beside), *beside, *arguments, *_in_line(echoes))


def echo_command(
    partition: int, echoes: Sequence[Echo], *, layout: str, control: str, seal_key: bytes
) -> tuple[Argument, ...]:
    """The command that publishes what stands on the stream already: one part of what `cut` has made.

    The answer is why Redis refuses something, in bytes; empty if it does not.
    """
    beside = (keys.appended(partition), keys.layout(partition), keys.echoes(partition))
    return ("EVAL", _ECHO_ALONE, len(beside), *beside, layout, control, seal_key, *_in_line(echoes))


def given_command(partition: int) -> tuple[Argument, ...]:
    """The command that asks for the number up to which notices of echoes were given before."""
    return ("EVAL", _GIVEN, 1, keys.echoes(partition))


def cut(echoes: Sequence[Echo], most_bytes: int = ECHO_BYTES) -> list[list[Echo]]:
    """Echoes in parts, each for one step, in their order; none where there is nothing to publish."""
    parts: list[list[Echo]] = []
    size = most_bytes  # None is open yet.
    for echo in echoes:
        run: list[bytes] = []
        for payload in echo.payloads:
            pushed = len(payload) + len(echo.channel) + _PUSH_BYTES
            if size + pushed > most_bytes:
                parts.append([])
                size, run = 0, []
            if not run:
                parts[-1].append(Echo(echo.channel, run))
            run.append(payload)
            size += pushed
    return parts


def _in_line(echoes: Sequence[Echo]) -> Iterator[Argument]:
    for echo in echoes:
        yield echo.channel
        yield len(echo.payloads)
        yield from echo.payloads


def append(
    client: redis.Redis, partition: int, messages: int, fields: Sequence[Argument], *, layout: str
) -> str:
    """Append one entry of so many messages; its id.

    Raises:
        redis.RedisError: Redis did not take it, or its answer was lost.
    """
    _, script, *rest = command(partition, messages, fields, layout=layout)
    answer = client.eval(str(script), *cast(Any, rest))
    return cast(list[bytes], answer)[0].decode()
