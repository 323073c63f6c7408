"""What Redis does in one step with the counts of what is stored: begin anew, complete, subtract.

What is added while messages are stored is in `scripts`.
"""

from typing import Final

STATE: Final = ""
"""This field of the counts says whether they are whole. No channel has such a name."""

WHOLE: Final = b"whole"

# KEYS: counts, what was subtracted from them. ARGV: a state that is not `whole`, and of no other count.
RESET_COUNTS: Final = """
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('HSET', KEYS[1], '', ARGV[1])
"""

# KEYS: counts, what was subtracted from them. ARGV: channel, how many of its messages have expired in all,
# and how many before the last batch. Of counts that are whole nothing was subtracted where nothing says so;
# of others nobody knows, and what counts them anew subtracts by itself.
SUBTRACT: Final = """
local known = redis.call('HMGET', KEYS[2], ARGV[1])[1]
if known and tonumber(known) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
local state = redis.call('HMGET', KEYS[1], '')[1]
if state and state ~= 'whole' then return 0 end
return redis.call('HINCRBY', KEYS[1], ARGV[1], (known or state and 0 or ARGV[3]) - ARGV[2])
"""

# KEYS: counts, what was subtracted from them. ARGV: what RESET_COUNTS was given, then for each channel its
# name, what is stored of it, and how many have expired in all without being counted there. If somebody has
# reset the counts since then, or they are whole already, this is not what is missing in them.
COMPLETE_COUNTS: Final = """
redis.call('PERSIST', KEYS[1])
if redis.call('HGET', KEYS[1], '') ~= ARGV[1] then return 0 end
for i = 2, #ARGV, 3 do
  local expired = tonumber(ARGV[i + 2])
  local meanwhile = tonumber(redis.call('HMGET', KEYS[2], ARGV[i])[1]) or 0
  if expired > meanwhile then redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 2]) end
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1] - math.max(0, meanwhile - expired))
end
redis.call('HSET', KEYS[1], '', 'whole')
return 1
"""
