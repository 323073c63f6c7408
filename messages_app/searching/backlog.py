"""What stands on a partition's stream and is not stored yet."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from messages_app.beside import NAMED
from relaybase import keys
from relaybase.connections import shared_redis

_SCRIPT: Final = (
    NAMED
    + """
local stream, group = KEYS[1], ARGV[1]
if redis.call('EXISTS', stream) == 0 then return {0, 0} end
local info, waiting, oldest = named(redis.call('XINFO', 'STREAM', stream)), nil, nil
local now = redis.call('TIME')
for _, reply in ipairs(redis.call('XINFO', 'GROUPS', stream)) do
    local found = named(reply)
    if found['name'] == group then
        local ahead = found['lag']
        local after = '(' .. found['last-delivered-id']
        -- Redis before 7 has no lag, and none knows it after an entry was deleted: then it is counted.
        if not ahead then ahead = #redis.call('XRANGE', stream, after, '+', 'COUNT', ARGV[2]) end
        waiting = found['pending'] + ahead
        oldest = redis.call('XPENDING', stream, group)[2]
        if not oldest then
            local first = redis.call('XRANGE', stream, after, '+', 'COUNT', 1)[1]
            oldest = first and first[1]
        end
    end
end
if not waiting then
    waiting = info['length']
    oldest = waiting > 0 and info['first-entry'][1]
end
if not oldest then return {waiting, 0} end
local since = tonumber(string.sub(oldest, 1, string.find(oldest, '-') - 1))
return {waiting, math.max(0, now[1] * 1000 + math.floor(now[2] / 1000) - since)}
"""
)
_MOST_COUNTED: Final = 1000


@dataclass(frozen=True, slots=True)
class Backlog:
    """Entries of the stream that are not stored, and the age of the oldest in seconds (0: none).

    That age is how far the watermark lags behind. An entry may carry many messages.
    """

    entries: int
    lag_seconds: float


def read(partitions: Iterable[int]) -> dict[int, Backlog]:
    """The backlogs of these partitions.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    asked = list(partitions)
    with shared_redis().pipeline(transaction=False) as pipeline:
        for partition in asked:
            pipeline.eval(_SCRIPT, 1, keys.stream(partition), keys.GROUP, str(_MOST_COUNTED))
        answers: list[Any] = pipeline.execute()
    return {
        partition: Backlog(int(entries), int(age) / 1000)
        for partition, (entries, age) in zip(asked, answers, strict=True)
    }
