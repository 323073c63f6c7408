"""What Redis does for a writer in one step.

When its memory is full, Redis refuses whatever might need more, and it is the writer
who makes room: by acknowledging, so that the stream can be trimmed. A script is let
through if its first write needs no memory, so here each one begins with such a write.
"""

from typing import Final

PREPARE: Final = """
redis.call('PERSIST', KEYS[1])
-- From 0, never from $: whatever stands there was not written yet.
return redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
"""

# KEYS: stream, tallies. ARGV: group; for each entry its id, how many messages it brought, and its tally.
ACKNOWLEDGE: Final = """
-- Without a group nobody else can have acknowledged: what was stored is counted now or never.
local group_lost = redis.pcall('XPENDING', KEYS[1], ARGV[1]).err
local counted = 0
for i = 2, #ARGV, 3 do
  local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[i])
  if acknowledged == 1 or group_lost then
    counted = counted + ARGV[i + 1]
    if ARGV[i + 2] ~= '' then redis.call('RPUSH', KEYS[2], ARGV[i + 2]) end
  end
end
return counted
"""

# KEYS: tallies, counts, times, prefix of the counts by time (`relayproject.rates`, which names these
# keys in the same way; all have the hash tag of the partition).
# ARGV: how many tallies are added up, the last of them, and what they come to, in JSON:
# {channel: [messages, when the newest one came]}.
#
# Hashes are read and written 2,000 fields at once: one HINCRBY for each takes Redis four times as long.
ADD_UP: Final = """
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
      fields[#fields + 1] = (before[i - first + 1] or 0) + brought[names[i]][1]
    end
    redis.call('HSET', key, unpack(fields))
  end
end
add_to(KEYS[2])
local now = tonumber(redis.call('TIME')[1])
-- By channel, in slots of 10 s, 10 min and 1 h, as long as the last minute, hour and day need them.
for width, keep in pairs({[10] = 80, [600] = 4800, [3600] = 93600}) do
  local key = string.format('%s:%d:%d', KEYS[4], width, math.floor(now / width))
  add_to(key)
  redis.call('EXPIRE', key, keep)
end
-- All channels together: each 5 s in a hash for each 5 min, each minute in one for each hour.
for width, span in pairs({[5] = 300, [60] = 3600}) do
  local key = string.format('%s:all:%d:%d', KEYS[4], width, math.floor(now / span))
  redis.call('HINCRBY', key, math.floor(now / width), total)
  redis.call('EXPIRE', key, width * 1500)
end
return total
"""

# Everything below `bound` is acknowledged. What Redis counts as pending decides, not what this
# process remembers, and nothing can happen between the look and the cut. Without a group
# nobody knows what is acknowledged, and nothing is cut.
TRIM: Final = """
local pending = redis.pcall('XPENDING', KEYS[1], ARGV[1])
if pending.err then return 0 end
local bound = pending[2]
if pending[1] == 0 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local info = {}
    for i = 1, #group, 2 do info[group[i]] = group[i + 1] end
    if info['name'] == ARGV[1] then bound = info['last-delivered-id'] end
  end
end
local now = redis.call('TIME')
local old = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[2]
local dash = string.find(bound, '-')
if tonumber(string.sub(bound, 1, dash - 1)) > old then bound = string.format('%.0f-0', math.max(0, old)) end
return redis.call('XTRIM', KEYS[1], 'MINID', '~', bound)
"""

NOTE: Final = """
redis.call('DEL', KEYS[1])
if ARGV[1] ~= '' then redis.call('SET', KEYS[1], ARGV[1]) end
"""

STATE: Final = ""
"""This field of the counts says whether they are whole. No channel has such a name."""

WHOLE: Final = b"whole"

RESET_COUNTS: Final = """
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], '', ARGV[1])
"""

# ARGV: what RESET_COUNTS was given, then names of channels and counts. If somebody has reset
# the counts since then, or they are whole already, this is not what is missing in them.
COMPLETE_COUNTS: Final = """
redis.call('PERSIST', KEYS[1])
if redis.call('HGET', KEYS[1], '') ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 2 do redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], '', 'whole')
return 1
"""
