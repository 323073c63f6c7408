"""What stands on a partition's stream and is not stored yet."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from messages_app.beside import LOOK_UP_GROUP
from relaybase import keys
from relaybase.connections import shared_redis

_SCRIPT: Final = (
    LOOK_UP_GROUP
    + """
local stream = KEYS[1]
if redis.call('EXISTS', stream) == 0 then return {0, 0} end
local group = group_of(stream, ARGV[1])
local waiting = named(redis.call('XINFO', 'STREAM', stream))['length']
if group then
    local ahead = group['lag']
    -- Redis before 7 has no lag, and none knows it after an entry was deleted: then it is counted.
    if not ahead then
        ahead = #redis.call('XRANGE', stream, '(' .. delivered_to(group), '+', 'COUNT', ARGV[2])
    end
    waiting = group['pending'] + ahead
end
local oldest = first_pending(stream, group) or first_undelivered(stream, group)
if not oldest then return {waiting, 0} end
local now = redis.call('TIME')
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
