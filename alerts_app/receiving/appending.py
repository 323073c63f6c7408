"""What waits is appended in an event loop, for another thread, which waits until it is stored."""

import asyncio
from collections.abc import Sequence
from typing import Final

from alerts_app.receiving.channel import known_channel
from alerts_app.receiving.models import Transition
from events_app.teller import Line, Teller
from messages_app.publishing.taking import Producer
from relaycore.publishing import producers

APPEND_SECONDS: Final = 5.0
"""So long whoever tells waits for Redis and the writer. Below `IDLE_MS`: else PostgreSQL would take the lock
from him."""

_PRODUCER: Final = Producer(producers.ALERTMANAGER, producers.ALERTMANAGER)
"""Whoever brings it: of two processes that append the same, one message is stored."""


class Appender:
    """Of one event loop, whose process is the only one that tells while this is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._teller = Teller(_PRODUCER)

    def __call__(self, waiting: Sequence[Transition]) -> int:
        """Append the first ones; how many are stored then.

        Raises:
            TimeoutError, RelayError, redis.RedisError, pymongo.errors.PyMongoError: none of them is, so far.
        """
        asked = asyncio.run_coroutine_threadsafe(self._tell(waiting), self._loop)
        try:
            return asked.result(APPEND_SECONDS)
        except TimeoutError:
            asked.cancel()
            raise

    async def _tell(self, waiting: Sequence[Transition]) -> int:
        return await self._teller.tell(await known_channel(), list(map(_line, waiting)))


def _line(one: Transition) -> Line:
    return {"message": one.message, "id": one.uuid.hex, "content_type": "application/json"}
