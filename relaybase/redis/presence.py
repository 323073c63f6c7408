"""How many watch each channel live, in all processes: each says so every few seconds, for a short time.

A process that dies says nothing, and is forgotten. So the number is that of some seconds ago, which is enough
for people; nothing is decided by it.
"""

import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
import redis.asyncio

from relaybase import keys

SAY_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 7
_LONG_AGO_SECONDS: Final = 3600.0
"""Who has said nothing for so long is not asked any more. Clocks need not agree better than that."""


async def say(client: redis.asyncio.Redis, present: Mapping[str, int]) -> None:
    """So many watch each channel in this process.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    key, now = keys.watching(f"{socket.gethostname()}:{os.getpid()}"), time.time()
    async with client.pipeline(transaction=True) as pipeline:
        pipeline.delete(key)
        if present:
            counts: Any = dict(present)
            pipeline.hset(key, mapping=counts)
            pipeline.expire(key, FORGET_SECONDS)
        pipeline.zadd(keys.WATCHING, {key: now})
        pipeline.zremrangebyscore(keys.WATCHING, "-inf", now - _LONG_AGO_SECONDS)
        await pipeline.execute()


def watchers(client: redis.Redis, channels: Sequence[str]) -> list[int]:
    """How many watch each of these.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    processes: Any = client.zrange(keys.WATCHING, 0, -1) if channels else []
    with client.pipeline(transaction=False) as pipeline:
        for key in processes:
            pipeline.hmget(key, channels)
        found = pipeline.execute()
    return [sum(int(counts[at] or 0) for counts in found) for at in range(len(channels))]
