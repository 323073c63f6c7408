"""What Redis does for a writer in one step.

When its memory is full, Redis refuses whatever might need more, and it is the writer
who makes room: by acknowledging, so that the stream can be trimmed. A script is let
through if its first write needs no memory, so here each one begins with such a write.
"""

from typing import Final

from messages_app.beside import LOOK_UP_GROUP
from relaybase.rates import COUNT_LATELY

PREPARE: Final = """
redis.call('PERSIST', KEYS[1])
-- From 0, never from $: whatever stands there was not written yet.
return redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
"""

_IS_ABOVE: Final = """
local function is_above(id, other)
  local function parts(text)
    local dash = string.find(text, '-')
    return tonumber(string.sub(text, 1, dash - 1)), tonumber(string.sub(text, dash + 1))
  end
  local ms, number = parts(id)
  local other_ms, other_number = parts(other)
  return ms > other_ms or (ms == other_ms and number > other_number)
end
"""

_SAY: Final = (
    _IS_ABOVE
    + """
local function say(key, stored, id)
  local known = redis.call('HMGET', key, 'stored', 'stored_id')
  if (tonumber(known[1]) or -1) <= tonumber(stored) then
    if known[2] and is_above(known[2], id) then id = known[2] end
    redis.call('HSET', key, 'stored', stored, 'stored_id', id)
  end
end
"""
)
"""Lua: up to this number everything is stored or on record, and ends with the entry of this id."""

_IS_OF_BEFORE: Final = """
-- Whether MongoDB was found to have gone back after so many redeliveries: it may not have any more what was
-- stored in it before.
local function is_of_before(key, redeliveries)
  return (redis.call('HMGET', key, 'redeliveries')[1] or '0') ~= redeliveries
end
"""

_IS_MINE: Final = """
-- Whether the last claim is of this epoch, and Redis has it still.
local function is_mine(key, epoch) return redis.call('HMGET', key, 'epoch')[1] == epoch end
"""

# KEYS: appended. ARGV: epoch. What MongoDB has acknowledged, and how often everything was delivered again.
CLAIM: Final = """
redis.call('PERSIST', KEYS[1])
local found = redis.call('HMGET', KEYS[1], 'epoch', 'kept', 'redeliveries')
if (tonumber(found[1]) or 0) > tonumber(ARGV[1]) then return nil end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1])
return {tonumber(found[2]) or 0, found[3] or '0'}
"""

_TELL: Final = """
local function tell(key, channel, news)
  if news == '' then return '' end
  local told = redis.pcall('PUBLISH', channel, news)
  -- What is stored is stored, whether anybody may be told or not.
  if type(told) == 'table' then return told.err end
  redis.call('HINCRBY', key, 'told', 1)
  return ''
end
"""
"""Lua: publish sealed news, and count it; why Redis refuses, empty if it does not.

What was missed is bounded by Redis's count of all that was published: `relaycore.capturing.ticks` leaves
these out.
"""

# KEYS: stream, tallies, appended. ARGV: group, redeliveries, what is stored with these entries, the id of the
# last one, the channel of news, the news, and by which of its times MongoDB had them; for each entry its id,
# how many messages it brought, and its tally. The answer: how many messages were counted, and why nobody
# could be told.
ACKNOWLEDGE: Final = (
    _SAY
    + _IS_OF_BEFORE
    + _TELL
    + """
if is_of_before(KEYS[3], ARGV[2]) then return nil end
-- Without a group nobody else can have acknowledged: what was stored is counted now or never.
local group_lost = redis.pcall('XPENDING', KEYS[1], ARGV[1]).err
local counted = 0
for i = 8, #ARGV, 3 do
  local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if acknowledged == 1 or group_lost then
    counted = counted + ARGV[i + 1]
    if ARGV[i + 2] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[i + 2]) end
  end
end
say(KEYS[3], ARGV[3], ARGV[4])
if ARGV[7] > (redis.call('HMGET', KEYS[3], 'operation_time')[1] or '') then
  redis.call('HSET', KEYS[3], 'operation_time', ARGV[7])
end
return {counted, tell(KEYS[3], ARGV[5], ARGV[6])}
"""
)

# KEYS: appended. ARGV: redeliveries, what is stored or on record, the id with which it ends, the channel of
# news, and the news. The answer: why nobody could be told.
SAY: Final = (
    _SAY
    + _IS_OF_BEFORE
    + _TELL
    + """
redis.call('PERSIST', KEYS[1])
if is_of_before(KEYS[1], ARGV[1]) then return nil end
say(KEYS[1], ARGV[2], ARGV[3])
if (tonumber(redis.call('HMGET', KEYS[1], 'upto')[1]) or 0) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'upto', ARGV[2])
end
return tell(KEYS[1], ARGV[4], ARGV[5])
"""
)

# KEYS: appended. ARGV: redeliveries, what MongoDB has acknowledged.
KEPT: Final = (
    _IS_OF_BEFORE
    + """
redis.call('PERSIST', KEYS[1])
if is_of_before(KEYS[1], ARGV[1]) then return nil end
if (tonumber(redis.call('HMGET', KEYS[1], 'kept')[1]) or -1) < tonumber(ARGV[2]) then
  redis.call('HSET', KEYS[1], 'kept', ARGV[2])
end
"""
)

# KEYS: stream, appended, counts. ARGV: group, epoch, the id behind which everything is delivered again, what
# MongoDB has, and the id with which that ends. What is stored is counted anew. How often that was done.
DELIVER_AGAIN: Final = (
    _IS_MINE
    + """
redis.call('PERSIST', KEYS[1])
if not is_mine(KEYS[2], ARGV[2]) then return nil end
redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[1])
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], ARGV[3], 'MKSTREAM')
-- The times of a MongoDB that has gone back say nothing of this one.
redis.call('HSET', KEYS[2], 'stored', ARGV[4], 'stored_id', ARGV[5], 'kept', ARGV[4], 'operation_time', '')
redis.call('DEL', KEYS[3])
return redis.call('HINCRBY', KEYS[2], 'redeliveries', 1)
"""
)

# KEYS: stream, appended, counts. ARGV: group, epoch, the id from which ids go on. What waits is appended
# anew, in its order: all of it, and in one step, so that nothing that comes meanwhile stands before it.
#
# If all that waits is above that id, it was done already: a writer that slept over its term before it came
# here must not take from another one what that one is storing, and have readers step over it.
#
# Up to where it was appended anew, and behind what: the watermark needs it (`relaycore.storing.known`). If
# some of it was so before, what is stored since then is not to be read yet either.
#
# Lua hands over 8,000 values at once. An entry has ten; of a foreign one the rest is left out.
RAISE: Final = (
    LOOK_UP_GROUP
    + _IS_ABOVE
    + _IS_MINE
    + """
redis.call('PERSIST', KEYS[1])
if not is_mine(KEYS[2], ARGV[2]) then return nil end
redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
local group = group_of(KEYS[1], ARGV[1])
local delivered = delivered_to(group)
local waiting = first_pending(KEYS[1], group) or first_undelivered(KEYS[1], group)
if waiting and is_above(waiting, ARGV[3]) then return 0 end
local last = named(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']
if is_above(ARGV[3], last) then redis.call('XSETID', KEYS[1], ARGV[3]) end
local anew, newest = 0, nil
local function append_anew(entries, is_pending)
  for _, entry in ipairs(entries) do
    newest = redis.call('XADD', KEYS[1], '*', unpack(entry[2], 1, math.min(#entry[2], 4000)))
    if is_pending then redis.call('XACK', KEYS[1], ARGV[1], entry[1]) end
    redis.call('XDEL', KEYS[1], entry[1])
    anew = anew + 1
  end
end
while true do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 100)
  if #page == 0 then break end
  for _, row in ipairs(page) do
    append_anew(redis.call('XRANGE', KEYS[1], row[1], row[1]), true)
    redis.call('XACK', KEYS[1], ARGV[1], row[1])
  end
end
while true do
  local page = redis.call('XRANGE', KEYS[1], '(' .. delivered, last, 'COUNT', 20)
  if #page == 0 then break end
  append_anew(page, false)
end
-- Some of it may have been stored under its earlier id, and counted by nobody.
if anew == 0 then return 0 end
redis.call('DEL', KEYS[3])
local moved = redis.call('HMGET', KEYS[2], 'moved_to', 'stored_id')
if not moved[1] or is_above(waiting, moved[1]) then
  redis.call('HSET', KEYS[2], 'moved_after', moved[2] or '0-0')
end
redis.call('HSET', KEYS[2], 'moved_to', newest)
return anew
"""
)

# KEYS: tallies, counts, times, prefix of the counts by time (`relaybase.rates`); all have the hash tag of the
# partition.
# ARGV: how many tallies are added up, the last of them, and what they come to, in JSON:
# {channel: [messages, when the newest one came]}.
#
# Hashes are read and written 2,000 fields at once: one HINCRBY for each takes Redis four times as long.
ADD_UP: Final = (
    COUNT_LATELY
    + """
-- Each has the id of its entry. If this one is not there, somebody else has added them up.
if redis.call('LINDEX', KEYS[1], ARGV[1] - 1) ~= ARGV[2] then return 0 end
redis.call('LTRIM', KEYS[1], ARGV[1], -1)
local brought, times, names, total = cjson.decode(ARGV[3]), {}, {}, 0
for channel, found in pairs(brought) do
  times[#times + 1] = channel
  times[#times + 1] = found[2]
  if found[1] > 0 then names[#names + 1] = channel end
  total = total + found[1]
end
for i = 1, #times, 4000 do
  redis.call('HSET', KEYS[3], unpack(times, i, math.min(i + 3999, #times)))
end
if total == 0 then return 0 end
local function add_to(key)
  for first = 1, #names, 2000 do
    local last = math.min(first + 1999, #names)
    local before, fields = redis.call('HMGET', key, unpack(names, first, last)), {}
    for i = first, last do
      fields[#fields + 1] = names[i]
      -- What is no number was put there by somebody else, and must not cost the others their counts.
      fields[#fields + 1] = (tonumber(before[i - first + 1]) or 0) + brought[names[i]][1]
    end
    redis.call('HSET', key, unpack(fields))
  end
end
add_to(KEYS[2])
count_lately(KEYS[4], total, add_to)
return total
"""
)

# Everything below `bound` is acknowledged. What Redis counts as pending decides, not what this
# process remembers, and nothing can happen between the look and the cut. Without a group
# nobody knows what is acknowledged, and nothing is cut.
TRIM: Final = (
    LOOK_UP_GROUP
    + """
local group = group_of(KEYS[1], ARGV[1])
if not group then return 0 end
local bound = first_pending(KEYS[1], group) or delivered_to(group)
local now = redis.call('TIME')
local old = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[2]
local dash = string.find(bound, '-')
if tonumber(string.sub(bound, 1, dash - 1)) > old then bound = string.format('%.0f-0', math.max(0, old)) end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', bound)
"""
)

NOTE: Final = """
redis.call('DEL', KEYS[1])
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
"""
