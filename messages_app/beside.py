"""What Redis says of one partition at one instant: how far appending and storing have come, and what waits.

In one script: between two commands an entry could go from "not delivered" to "pending" unseen.
"""

from typing import Any, Final, cast

import redis

from relaybase import keys
from relaycore.position import NEVER
from relaycore.storing.known import Beside, numbers

NAMED: Final = """
local function named(reply)
    local fields = {}
    for i = 1, #reply, 2 do fields[reply[i]] = reply[i + 1] end
    return fields
end
"""
"""Lua: a flat answer of fields and values, such as that of XINFO, as a table."""

FIRST_WAITING: Final = """
-- The first entry that is not acknowledged: nil if there is none; and whether it was delivered.
local function first_waiting(stream, group)
    local delivered = '0-0'
    if redis.call('EXISTS', stream) == 0 then return nil, false, false end
    local has_group = false
    for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
        local found = named(reply)
        if found['name'] == group then
            has_group, delivered = true, found['last-delivered-id']
            local pending = redis.call('XPENDING', stream, group)[2]
            if pending then return pending, true, true end
        end
    end
    local entry = redis.call('XRANGE', stream, '(' .. delivered, '+', 'COUNT', 1)[1]
    return entry and entry[1], false, has_group
end
"""

_LOOK: Final = (
    NAMED
    + FIRST_WAITING
    + """
local stream = KEYS[1]
local last = '0-0'
if redis.call('EXISTS', stream) == 1 then
    last = named(redis.call('XINFO', 'STREAM', stream))['last-generated-id']
end
local waiting, delivered, has_group = first_waiting(stream, ARGV[1])
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
local known = redis.call('HMGET', KEYS[2], 'upto', 'stored', 'stored_id', 'kept')
for i = 1, 4 do known[i] = known[i] or '' end
local clock = redis.call('TIME')
local info = redis.pcall('INFO', 'server')
local run_id = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
return {known[1], known[2], known[3], known[4], last, waiting or '', run_id, clock[1], clock[2],
    upto, messages, gone, delivered and 1 or 0, has_group and 1 or 0}
"""
)


def look(client: redis.Redis, partition: int) -> Beside:
    """What Redis says now.

    Raises:
        redis.RedisError: it does not answer.
    """
    answer = cast(
        list[Any], client.eval(_LOOK, 2, keys.stream(partition), keys.appended(partition), keys.GROUP)
    )
    upto, stored, stored_id, kept, last_id, waiting, run_id, seconds, microseconds = (
        part.decode() for part in answer[:9]
    )
    first, (is_gone, delivered, has_group) = numbers(*answer[9:11]), answer[11:]
    return Beside(
        upto=int(upto) if upto else None,
        stored=int(stored) if stored else None,
        stored_id=stored_id or NEVER,
        kept=int(kept or 0),
        last_id=last_id,
        waiting=waiting,
        delivered=bool(delivered),
        before=None if first is None else first[0] - first[1],
        is_gone=bool(is_gone),
        has_group=bool(has_group),
        run_id=run_id,
        at=int(seconds) * 1000 + int(microseconds) // 1000,
    )
