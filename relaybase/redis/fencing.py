"""Appending what only one process may append: the fence beside a stream.

What a listener has heard anybody may append. What a rule says only the processor may append that has the
rule's shard now: one that was frozen, and wakes, would go on under settings that are not in force any more.
So beside each stream stands for each shard the number of the term that has it. An append names its term, and
is refused if that is not the one that stands there.

The number is made of the division into shards and of the epoch of the lease (`term_number`), so that a term
of a later division is above all of an earlier one. Whoever puts up a fence of a later division takes away
those of earlier ones: their shards are no shards any more.

A Redis that has lost its data knows of no fence, and one that was restored from an older copy has an older
one. So a fence says as well in which run of Redis it was put up. In another one nobody appends, until
somebody who has seen in MongoDB that his term goes on has put it up again. Where it may not be asked in which
run it is (`INFO`), nothing could be told apart: no fence is put up there, and nothing is appended.

What a rule says stands no lower than what made it say so: the ids of the stream go on from there if the clock
of Redis was set back. Retention, which stays behind what rules have come to, so stays behind that as well.
"""

from collections.abc import Sequence
from typing import Final

from relaybase import keys
from relaybase.redis.scripts import MISFIT, NAMED, RUN
from relaybase.redis.wire import Argument
from relaycore.envelope import F_UPTO

REFUSED: Final = "FENCE "
"""What the error begins with if the fence is another one."""

_EPOCHS: Final = 1 << 32

# KEYS: stream, appended, layout, fence. ARGV: a number that was given, how many messages, the layout, the
# shard, the term, the least id in ms, the name of the field `upto`, names and values.
_APPEND: Final = (
    MISFIT
    + RUN
    + NAMED
    + """
local layout = redis.call('GET', KEYS[3])
local other = misfit(layout, ARGV[3])
if other then return other end
local term = redis.call('HGET', KEYS[4], ARGV[4])
if term ~= ARGV[5] .. ' ' .. run_id then
  return redis.error_reply('FENCE shard ' .. ARGV[4] .. ' belongs to ' .. (term or 'nobody'))
end
local id, least = '*', tonumber(ARGV[6])
if redis.call('TIME')[1] * 1000 < least and redis.call('EXISTS', KEYS[1]) == 1 then
  local last = named(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']
  if tonumber(string.match(last, '^%d+')) < least then id = ARGV[6] .. '-0' end
end
local upto = math.max(tonumber(redis.call('HMGET', KEYS[2], 'upto')[1]) or 0, tonumber(ARGV[1])) + ARGV[2]
upto = string.format('%.0f', upto)
id = redis.call('XADD', KEYS[1], id, ARGV[7], upto, unpack(ARGV, 8))
redis.call('HSET', KEYS[2], 'upto', upto)
if not layout then redis.call('SET', KEYS[3], ARGV[3]) end
return {id, upto}
"""
)

# KEYS: fence. ARGV: the shard, the term, from where on terms are of this division, and of a later one.
# The first write needs no memory: a Redis that is full lets what follows it through.
_PUT_UP: Final = (
    RUN
    + """
local function number(text) return tonumber(string.match(text, '^%d+')) or 0 end
redis.call('PERSIST', KEYS[1])
local stands = redis.call('HGETALL', KEYS[1])
for i = 1, #stands, 2 do
  local term = number(stands[i + 1])
  if term >= tonumber(ARGV[4]) or (stands[i] == ARGV[1] and term > tonumber(ARGV[2])) then return 0 end
end
for i = 1, #stands, 2 do
  if number(stands[i + 1]) < tonumber(ARGV[3]) then redis.call('HDEL', KEYS[1], stands[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. run_id)
return 1
"""
)


def term_number(division: int, epoch: int) -> int:
    """By which terms of one shard are compared. Exact in Lua for the first two million divisions."""
    return division * _EPOCHS + epoch


def term_of(stands: bytes) -> int:
    """What stands in a fence, as a number."""
    return int(stands.partition(b" ")[0])


def division_of(term: int) -> int:
    """That of a term's number."""
    return term // _EPOCHS


def epoch_of(term: int) -> int:
    """That of a term's number."""
    return term % _EPOCHS


def append_command(
    partition: int,
    messages: int,
    fields: Sequence[Argument],
    *,
    layout: str,
    shard: int,
    term: int,
    least: int = 0,
    known: int = 0,
) -> tuple[Argument, ...]:
    """As `relaybase.redis.appending.command`, for who has this shard in this term.

    The error begins with `REFUSED` if he has not: nothing stands.

    least: ms of the least id that the entry may get
    """
    beside = (keys.stream(partition), keys.appended(partition), keys.layout(partition), keys.fence(partition))
    arguments = (known, messages, layout, shard, term, least, F_UPTO)
    return ("EVAL", _APPEND, len(beside), *beside, *arguments, *fields)


def put_up_command(partition: int, *, shard: int, term: int) -> tuple[Argument, ...]:
    """The command that has nobody of an earlier term append; the answer is 0 if a later one stands there."""
    begins = term - term % _EPOCHS
    return ("EVAL", _PUT_UP, 1, keys.fence(partition), shard, term, begins, begins + _EPOCHS)
