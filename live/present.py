"""How many watch each channel here, said to all others (`relaybase.redis.presence`)."""

import time
from collections.abc import Callable, Mapping

from relaybase.connections import async_redis
from relaybase.redis import presence


class Present:
    """Of one event loop. `present`: how many watch each channel in it."""

    def __init__(self, present: Callable[[], Mapping[str, int]]) -> None:
        self._present = present
        self._said_at = float("-inf")

    async def look(self) -> None:
        """Say it, if that is some time ago.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if (now := time.monotonic()) - self._said_at >= presence.SAY_SECONDS:
            self._said_at = now
            await presence.say(async_redis(), self._present())
