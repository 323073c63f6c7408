"""Up to where everything of a partition is in MongoDB.

Inserts run several at a time, so a message may be visible while an older one is still
on its way. A reader that goes by position and has seen the newer one would look for
the next ones above it, and never see the older one. So every reader stops below the
first message that may still be missing. That bound is the watermark.

It is not stored anywhere, it follows from the stream. The writer acknowledges an entry
only after MongoDB has said that all its messages are durable (or in quarantine), and
it gets entries in the order of their ids. So what may be missing is, at any instant:

* an entry that was delivered and not acknowledged: not below the smallest pending id;
* an entry that was not delivered: not below the first one after the group's last
  delivered id. (Without a group all of them: it is created at the stream's beginning.)

Pending entries were delivered, so they are below the others, and the smallest pending
id decides where there is one. Where there is neither, all that the stream ever had is
stored, and only entries to come may be missing. XADD gives them ids that are not below
Redis' clock, nor below the last id that it generated plus one.

All of this is read in one script: between two commands an entry could go from "not
delivered" to "pending" unseen. MongoDB is asked after it, never before. What is below
the watermark stays complete, and the watermark does not fall, as long as Redis keeps
its data; after a loss only the clock keeps it from falling.
"""

import logging
from typing import Any, Final

import redis

from relaycore.position import first_of
from relayproject import keys
from relayproject.connections import shared_redis

log = logging.getLogger(__name__)

NAMED: Final = """
local function named(reply)
    local fields = {}
    for i = 1, #reply, 2 do fields[reply[i]] = reply[i + 1] end
    return fields
end
"""
"""Lua: a flat answer of fields and values, such as that of XINFO, as a table."""

_SCRIPT: Final = (
    NAMED
    + """
local stream, group = KEYS[1], ARGV[1]
local last, missing = '0-0', false
if redis.call('EXISTS', stream) == 1 then
    local delivered = '0-0'
    last = named(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local found = named(reply)
        if found['name'] == group then
            delivered = found['last-delivered-id']
            missing = redis.call('XPENDING', stream, group)[2]
        end
    end
    if not missing and delivered ~= last then
        local entry = redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1)[1]
        missing = entry and entry[1]
    end
end
local clock = redis.call('TIME')
return {missing or '', last, clock[1], clock[2]}
"""
)


def read(partition: int) -> str | None:
    """The position below which everything of a partition is stored; None while Redis is away."""
    try:
        missing, last, now_ms = _look(partition)
    except (redis.ConnectionError, redis.TimeoutError) as exc:
        log.warning("Redis does not answer, so the watermark is unknown: %s", exc)
        return None
    return bound(missing, last, now_ms)


def is_drained(partition: int) -> bool:
    """Whether everything that was ever on the stream of a partition is stored.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    return not _look(partition)[0]


def bound(missing: str, last: str, now_ms: int) -> str:
    """The position of the first message that may be missing.

    `missing` is the id of the first entry that is not stored, or empty; `last` the last
    id that the stream generated; `now_ms` Redis' clock in milliseconds since 1970.
    """
    if missing:
        return first_of(missing)
    milliseconds, _, number = last.partition("-")
    return max(first_of(f"{now_ms}-0"), first_of(f"{milliseconds}-{int(number) + 1}"))


def _look(partition: int) -> tuple[str, str, int]:
    """What `bound` takes."""
    answer: Any = shared_redis().eval(_SCRIPT, 1, keys.stream(partition), keys.GROUP)
    missing, last, seconds, microseconds = (part.decode() for part in answer)
    return missing, last, int(seconds) * 1000 + int(microseconds) // 1000
