"""What Redis says of one partition at one instant: how far appending and storing have come, and what waits.

In one script: between two commands an entry could go from "not delivered" to "pending" unseen.
"""

from typing import Any, Final, cast

import redis
import redis.asyncio

from relaybase import keys
from relaybase.redis.scripts import NAMED, RUN
from relaycore.position import NEVER
from relaycore.storing.known import Beside, numbers

LOOK_UP_GROUP: Final = (
    NAMED
    + """
-- What XINFO says of a consumer group: nil if it or its stream is not there.
local function group_of(stream, name)
    if redis.call('EXISTS', stream) == 0 then return nil end
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local found = named(reply)
        if found['name'] == name then return found end
    end
end

-- The id of the last entry that it was given; of no group that before all entries.
local function delivered_to(group)
    return group and group['last-delivered-id'] or '0-0'
end

-- The id of the first entry that it was not given: nil if there is none.
local function first_undelivered(stream, group)
    local entry = redis.call('XRANGE', stream, '(' .. delivered_to(group), '+', 'COUNT', 1)[1]
    return entry and entry[1]
end

-- The id of the first entry that it was given and has not acknowledged: nil if there is none.
local function first_pending(stream, group)
    return group and redis.call('XPENDING', stream, group['name'])[2] or nil
end
"""
)
"""Lua: what is to be known of a consumer group, with `NAMED`. The one place that looks for it."""

_LOOK: Final = (
    RUN
    + LOOK_UP_GROUP
    + """
local stream = KEYS[1]
local last = '0-0'
if redis.call('EXISTS', stream) == 1 then
    last = named(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
end
local group = group_of(stream, ARGV[1])
local pending, undelivered = first_pending(stream, group), first_undelivered(stream, group)
local waiting = pending or undelivered
-- What it says of its numbers is not believed here: anybody may have put it there.
local upto, messages, gone = '', '', 0
if waiting then
    local entry = redis.call('XRANGE', stream, waiting, waiting)[1]
    if entry then
        local fields = named(entry[2])
        upto, messages = fields['upto'] or '', fields['messages'] or ''
    else
        gone = 1
    end
end
local known = redis.call('HMGET', KEYS[2], 'upto', 'stored', 'stored_id', 'kept', 'operation_time',
    'moved_to', 'moved_after')
for i = 1, 7 do known[i] = known[i] or '' end
local clock = redis.call('TIME')
return {known[1], known[2], known[3], known[4], last, waiting or '', run_id, clock[1], clock[2],
    undelivered or '', upto, messages, known[6], known[7],
    gone, pending and 1 or 0, group and 1 or 0, known[5]}
"""
)

_LAST: Final = (
    NAMED
    + """
if redis.call('EXISTS', KEYS[1]) == 0 then return '0-0' end
return named(redis.call('XINFO', 'STREAM', KEYS[1]))['last-generated-id']
"""
)


async def last_id(client: redis.asyncio.Redis, partition: int) -> str:
    """The last id that was given on a partition's stream; `NEVER` if none was.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    answer: bytes = await cast(Any, client.eval(_LAST, 1, keys.stream(partition)))
    return answer.decode()


def look(client: redis.Redis, partition: int) -> Beside:
    """What Redis says now.

    Raises:
        redis.RedisError: it does not answer, or may not be asked in which run it is (INFO): one that was
            restarted would pass for the one before.
    """
    answer = cast(
        list[Any], client.eval(_LOOK, 2, keys.stream(partition), keys.appended(partition), keys.GROUP)
    )
    upto, stored, stored_id, kept, last_id, waiting, run_id, seconds, microseconds, undelivered = (
        part.decode() for part in answer[:10]
    )
    first, (is_gone, delivered, has_group, operation_time) = numbers(*answer[10:12]), answer[14:]
    moved_to, moved_after = (part.decode() for part in answer[12:14])
    return Beside(
        upto=int(upto) if upto else None,
        stored=int(stored) if stored else None,
        stored_id=stored_id or NEVER,
        kept=int(kept or 0),
        last_id=last_id,
        waiting=waiting,
        undelivered=undelivered,
        delivered=bool(delivered),
        before=None if first is None else first[0] - first[1],
        is_gone=bool(is_gone),
        moved_to=moved_to or NEVER,
        moved_after=moved_after or NEVER,
        has_group=bool(has_group),
        run_id=run_id,
        at=int(seconds) * 1000 + int(microseconds) // 1000,
        operation_time=operation_time.decode(errors="replace"),
    )
