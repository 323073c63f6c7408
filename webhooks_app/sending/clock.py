"""Clocks of servers, as they were heard last and have gone on since."""

import contextlib
import time

from redis import RedisError

from relaybase.connections import async_redis


class Clock:
    """Milliseconds since 1970: PostgreSQL's, by which all is due that has a row."""

    def __init__(self) -> None:
        self._ahead = 0.0
        self.is_known = False
        """Whether the server has said anything."""

    def hear(self, now: int) -> None:
        """The server says so just now."""
        self._ahead = now - time.monotonic() * 1000
        self.is_known = True

    def now(self) -> int:
        """What it says by now; 0 before it was heard."""
        return int(time.monotonic() * 1000 + self._ahead) if self.is_known else 0


class StreamClock(Clock):
    """Redis', as positions have it: so old is a message.

    By PostgreSQL's, where that is ahead, what has just come could be too old to be sent.
    """

    async def ask(self) -> None:
        """Hear it. While Redis does not answer it goes on; that it does not is said by whoever reads."""
        with contextlib.suppress(RedisError):
            seconds, microseconds = await async_redis().time()
            self.hear(int(seconds) * 1000 + int(microseconds) // 1000)
