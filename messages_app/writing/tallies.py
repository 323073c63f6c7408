"""What one entry has brought, left beside the stream by whoever acknowledges it, until many are added up.

And what Redis does in one step with the counts themselves: begin anew, complete, subtract what has expired.
How tallies come to them is in `scripts`.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from relaycore.position import milliseconds_of

Counts = Mapping[bytes, int]
"""Messages by channel."""


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


def tally(id: str, counts: Counts) -> str:
    """What one entry has brought, in JSON. The id makes it unlike every other one."""
    if not counts:
        return ""
    return _json([id, {channel.decode(): count for channel, count in counts.items()}])


def sums(tallies: Sequence[bytes]) -> str:
    """What tallies come to, in JSON, by channel: messages, and when the newest one came (ms since 1970)."""
    messages: dict[str, int] = {}
    latest: dict[str, int] = {}
    for one in tallies:
        id, counts = json.loads(one)
        latest |= dict.fromkeys(counts, milliseconds_of(id))
        for channel, count in counts.items():
            messages[channel] = messages.get(channel, 0) + count
    return _json({channel: (count, latest[channel]) for channel, count in messages.items()})


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
