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

_TURNED_AWAY_SECONDS: Final = 30.0
"""Whoever is turned away comes again sooner than that, as long as somebody is there."""

_UNSEEN_SECONDS: Final = 10.0
"""Those who watch are looked after each second."""


class Showing:
    """Whether those who watch are shown what is stored. What nobody knows counts as no. `now`: monotonic."""

    def __init__(self) -> None:
        self._found = ""
        self._looked_at: float | None = None
        self._turned_away = ""
        self._turned_away_at = 0.0

    def look(self, trouble: str, now: float) -> None:
        """Those who watch are looked after, and this keeps something from them."""
        self._found, self._looked_at = trouble, now

    def end(self) -> None:
        """Nobody watches any more."""
        self._found, self._looked_at = "", None

    def turn_away(self, why: str, now: float) -> None:
        """Somebody who wanted to watch could not be let in."""
        self._turned_away, self._turned_away_at = why, now

    def let_in(self, now: float) -> None:
        """Somebody has come."""
        self._turned_away = ""
        if self._looked_at is None:
            self._looked_at = now

    def trouble(self, now: float) -> str:
        """What is wrong; empty: nothing, or nobody is there whom it would concern."""
        if self._turned_away and now - self._turned_away_at < _TURNED_AWAY_SECONDS:
            return f"whoever comes is turned away: {self._turned_away}"
        if self._looked_at is not None and (seconds := now - self._looked_at) > _UNSEEN_SECONDS:
            return f"for {seconds:.0f} s nobody has looked after those who watch"
        return self._found


class Counts:
    """Sums that only grow, and how many are here."""

    def __init__(self) -> None:
        self.connections = 0
        """So many watch now, by whatever door."""
        self.showing = Showing()
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
