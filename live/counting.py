"""What this process has shown to those who watch, counted for `/metrics`; and who is here, for everybody.

The hub of an event loop is not asked: metrics are read in a thread.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Final

import redis

from relaybase.connections import async_redis
from relaybase.redis import presence


class Counts:
    """Sums that only grow, and how many are here."""

    def __init__(self) -> None:
        self.connections = 0
        """So many watch now, by whatever door."""
        self.is_failing = False
        """Something keeps those who watch from being shown what is stored."""
        self.refused = 0
        """So many were told to come again, since there were too many."""
        self.delivered: Counter[str] = Counter()
        """Messages, by door."""
        self.left: Counter[str] = Counter()
        """Those who had to go, or went, by reason."""


COUNTS: Final = Counts()
"""Of this process. Each number is changed by its event loop alone."""


class Present:
    """Of one event loop. `present`: how many watch each channel in it."""

    def __init__(self, present: Callable[[], Mapping[str, int]]) -> None:
        self._present = present
        self._said_at = float("-inf")
        self._saying: asyncio.Task[None] | None = None

    def look(self) -> None:
        """Have it said, if that is some time ago. Who calls waits for nothing."""
        is_saying = self._saying is not None and not self._saying.done()
        if not is_saying and (now := time.monotonic()) - self._said_at >= presence.SAY_SECONDS:
            self._said_at = now
            self._saying = asyncio.create_task(self._say())

    async def _say(self) -> None:
        # Without Redis nobody is told, and nobody could ask.
        with contextlib.suppress(redis.RedisError):
            await presence.say(async_redis(), self._present())
