"""How many watch each channel live, in all processes: each says so every few seconds, for a short time.

A process that dies says nothing, and is forgotten. So the number is that of some seconds ago, which is enough
for people; nothing is decided by it.
"""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any, Final

import redis
import redis.asyncio

from relaybase import keys

SAY_SECONDS: Final = 2.0
FORGET_SECONDS: Final = 7

_MOST_NAMED: Final = 1000
"""So many times are kept that a process has said something: of 100 processes the last ten of each."""


async def say(client: redis.asyncio.Redis, present: Mapping[str, int]) -> None:
    """So many watch each channel in this process.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    key = keys.watching(f"{socket.gethostname()}:{os.getpid()}")
    async with client.pipeline(transaction=False) as pipeline:
        pipeline.set(key, json.dumps(dict(present)), ex=FORGET_SECONDS)
        pipeline.lpush(keys.WATCHING, key)
        pipeline.ltrim(keys.WATCHING, 0, _MOST_NAMED - 1)
        await pipeline.execute()


def watchers(client: redis.Redis, channels: Sequence[str]) -> list[int]:
    """How many watch each of these.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    named: Any = client.lrange(keys.WATCHING, 0, _MOST_NAMED - 1) if channels else []
    with client.pipeline(transaction=False) as pipeline:
        for key in dict.fromkeys(named):
            pipeline.get(key)
        found = [json.loads(said) for said in pipeline.execute() if said is not None]
    return [sum(present.get(channel, 0) for present in found) for channel in channels]
