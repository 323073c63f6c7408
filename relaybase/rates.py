"""How many messages were stored lately, without looking at any message.

The writer counts in Redis by `COUNT_LATELY`, each message once, about a second after it is stored
(`messages_app.writing.scripts.ADD_UP`). Times are Redis'.

    RATES:10:SLOT    a hash: messages by channel in one slot of 10 s; also 600 s and 3600 s
    RATES:all:5:N    a hash: messages of all channels by slot of 5 s, for 5 min; also 60 s, for 1 h

Every key expires, so memory is bounded by the channels that had messages within a day.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.redis import clock

WINDOWS: Final = {"minute": (10, 60), "hour": (600, 3600), "day": (3600, 86_400)}
"""Window → seconds of its slots, and its own. It begins with a slot, so it may be longer by up to one."""

_SPANS: Final = {5: 300, 60: 3600}
"""Seconds of a slot of all channels → seconds that one hash covers."""

_OF_CHANNELS: Final = "%s:%d:%d"
_OF_ALL: Final = "%s:all:%d:%d"
"""Keys, as Lua and Python both write them: what they begin with, a slot's width, the number of the hash."""


def _as_lua(table: Mapping[int, int]) -> str:
    return "{" + ", ".join(f"[{key}] = {value}" for key, value in table.items()) + "}"


COUNT_LATELY: Final = f"""
local function count_lately(prefix, total, add_to)
  local now = tonumber(redis.call('TIME')[1])
  for width, keep in pairs({_as_lua({width: length + 2 * width for width, length in WINDOWS.values()})}) do
    local key = string.format('{_OF_CHANNELS}', prefix, width, math.floor(now / width))
    add_to(key)
    redis.call('EXPIRE', key, keep)
  end
  for width, span in pairs({_as_lua(_SPANS)}) do
    local key = string.format('{_OF_ALL}', prefix, width, math.floor(now / span))
    redis.call('HINCRBY', key, math.floor(now / width), total)
    redis.call('EXPIRE', key, width * 1500)
  end
end
"""
"""Lua: count `total` messages now. `add_to` adds them to a hash by channel; `prefix`: `keys.rates`.

Slots are kept as long as their windows need them.
"""


@dataclass(frozen=True, slots=True)
class Rate:
    """Messages stored within the last `seconds`."""

    messages: int
    seconds: float

    @property
    def per_second(self) -> float:
        """The mean rate."""
        return self.messages / self.seconds


@dataclass(frozen=True, slots=True)
class Recent:
    """What was stored of a channel lately."""

    minute: Rate
    hour: Rate
    day: Rate


def of_channels(names: Mapping[int, Iterable[str]]) -> dict[str, Recent]:
    """The recent counts of channels, given by partition. One command for each slot and partition.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    now = clock.milliseconds(shared_redis()) / 1000
    by_partition = {partition: list(of) for partition, of in names.items()}
    questions = [
        (partition, window, _OF_CHANNELS % (keys.rates(partition), width, slot))
        for partition, of in by_partition.items()
        if of
        for window, (width, length) in WINDOWS.items()
        for slot in range(int((now - length) // width), int(now // width) + 1)
    ]
    with shared_redis().pipeline(transaction=False) as pipeline:
        for partition, _, key in questions:
            pipeline.hmget(key, by_partition[partition])
        answers = pipeline.execute()
    sums: dict[tuple[str, str], int] = defaultdict(int)
    for (partition, window, _), counts in zip(questions, answers, strict=True):
        for name, count in zip(by_partition[partition], counts, strict=True):
            sums[name, window] += int(count or 0)
    seconds = {window: now - (now - length) // width * width for window, (width, length) in WINDOWS.items()}
    return {
        name: Recent(**{window: Rate(sums[name, window], seconds[window]) for window in WINDOWS})
        for of in by_partition.values()
        for name in of
    }


def series(partitions: Iterable[int], width: int, slots: int) -> tuple[int, list[int]]:
    """Messages stored, of all channels, in each of the last `slots` slots of `width` seconds.

    `width` is 5 (up to an hour back) or 60 (up to a day). Returns when the first slot
    began (s since 1970) and the counts; the last slot is the one that is still running.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    current = clock.milliseconds(shared_redis()) // (width * 1000)
    first = current - slots + 1
    span = _SPANS[width]
    with shared_redis().pipeline(transaction=False) as pipeline:
        for partition in partitions:
            for number in range(first * width // span, current * width // span + 1):
                pipeline.hgetall(_OF_ALL % (keys.rates(partition), width, number))
        answers = cast(list[dict[bytes, bytes]], pipeline.execute())
    counts = [0] * slots
    for answer in answers:
        for slot, count in answer.items():
            if first <= int(slot) <= current:
                counts[int(slot) - first] += int(count)
    return first * width, counts
