"""What waits is appended by the door of an event loop, for another thread, which waits until it is stored."""

import asyncio
import json
from collections.abc import Sequence
from typing import Final

from alerts_app.receiving.channel import known_channel
from alerts_app.receiving.models import Transition
from channels_app.remembering import KnownChannel
from messages_app.publishing.door import Receipt, door
from messages_app.publishing.taking import Body, Producer
from messages_app.searching import arriving
from relaycore.envelope import key_of
from relaycore.errors import NotTaken
from relaycore.publishing.standing import Awaited, Seen, judge
from relaycore.receiving.telling import Telling

APPEND_SECONDS: Final = 5.0
"""So long whoever tells waits for Redis and the writer. Below `IDLE_MS`: else PostgreSQL would take the lock
from him."""

_STORED_SECONDS: Final = 3.0

_PRODUCER: Final = Producer("alertmanager", "alertmanager")
"""Whoever brings it: of two processes that append the same, one message is stored."""

_NOT_STORED: Final = "What alerts have changed stands on the stream, but is not stored yet. It waits."


class Appender:
    """Of one event loop, whose process is the only one that tells while this is called."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._telling: Telling[tuple[int, Awaited]] = Telling()

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
        ids = [one.uuid for one in waiting]
        first = self._telling.together(ids)
        where = self._telling.where
        if where is None:
            where = await _append(waiting[:first], await known_channel())
            self._telling.appended(ids[:first], where)
        if not self._telling.judged(judge(where[1], await _look(*where))):
            raise NotTaken(_NOT_STORED)
        return first


async def _append(waiting: Sequence[Transition], known: KnownChannel) -> tuple[int, Awaited]:
    """The partition, and what stands there."""
    messages = [
        {"message": one.message, "id": one.uuid.hex, "content_type": "application/json"} for one in waiting
    ]
    content = json.dumps({"messages": messages}).encode()
    taken = await door().take(Body("application/json", content, is_packed=False, key=None), known, _PRODUCER)
    receipt = await door().publish(known, taken)
    door().count(known, _PRODUCER, taken)
    return receipt.partition, _awaited(receipt)


def _awaited(receipt: Receipt) -> Awaited:
    ids = list(map(key_of, receipt.taken.documents))
    return Awaited(ids, receipt.stood, receipt.taken.received_at, receipt.may_repeat)


async def _look(partition: int, awaited: Awaited) -> Seen:
    """What is stored of it, as soon as all of it should be."""
    horizon = await arriving.wait_until_stored(partition, awaited.stood.last, _STORED_SECONDS)
    return Seen() if horizon is None else await arriving.find(awaited.ids, horizon)
