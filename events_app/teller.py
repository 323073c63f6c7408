"""What Relay itself has to tell, published by the door of everybody, and waiting until it is stored."""

import asyncio
import functools
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from channels_app.models import Channel
from channels_app.remembering import KnownChannel
from channels_app.validators import usable_policy
from messages_app.publishing.door import door
from messages_app.publishing.taking import Body, Producer
from messages_app.searching import arriving
from relaybase.http.hot import bridge
from relaycore.errors import NotTaken
from relaycore.publishing.standing import Awaited, Seen, judge
from relaycore.publishing.telling import Telling

STORED_SECONDS: Final = 3.0
"""So long whoever tells waits for the writer."""

NOT_STORED: Final = "What is told stands on the stream, but is not stored yet. It waits."

_LINES: Final = "application/x-ndjson"

Line = Mapping[str, Any]
"""As the door's NDJSON has it. Its `id` is the key: who publishes it once more publishes nothing."""


class Teller:
    """Tells what waits for one channel, in one event loop. Of two that tell the same, it is stored once."""

    def __init__(self, producer: Producer) -> None:
        self._producer = producer
        self._telling: Telling[tuple[int, Awaited]] = Telling()
        self._one_at_a_time = asyncio.Lock()

    async def tell(self, known: KnownChannel, lines: Sequence[Line]) -> int:
        """Publish the first of these, which wait in this order; how many of them are stored then.

        Raises:
            NotTaken: they stand on the stream, and it is not known yet that they are stored.
            RelayError, redis.RedisError, pymongo.errors.PyMongoError: none of them is, so far.
        """
        async with self._one_at_a_time:
            ids = [line["id"] for line in lines]
            first = self._telling.together(ids)
            where = self._telling.where
            if where is None:
                where = await self._append(known, lines[:first])
                self._telling.appended(ids[:first], where)
            if not self._telling.judged(judge(where[1], await _look(*where))):
                raise NotTaken(NOT_STORED)
            return first

    async def _append(self, known: KnownChannel, lines: Sequence[Line]) -> tuple[int, Awaited]:
        """The partition, and what stands there."""
        body = Body(_LINES, "\n".join(map(json.dumps, lines)).encode(), is_packed=False, key=None)
        way_in = door()
        taken = await way_in.take(body, known, self._producer)
        receipt = await way_in.publish(known, taken)
        way_in.count(known, self._producer, taken)
        return receipt.partition, receipt.awaited


def publish(channel: Channel, producer: Producer, lines: Sequence[Line]) -> int:
    """As `Teller.tell`, for a thread.

    The channel is known by its row: something is told so seldom that nobody has to remember it.
    """
    policy = usable_policy(channel.channel, channel.deduplicate)
    flags = channel.listen, channel.republish, channel.public
    known = KnownChannel(channel.pk, channel.channel, channel.partition, policy, *flags)
    return bridge.run(_teller(channel.pk, producer).tell(known, lines))


@functools.cache
def _teller(channel: int, producer: Producer) -> Teller:
    """The one of this channel, in the event loop for threads."""
    return Teller(producer)


async def _look(partition: int, awaited: Awaited) -> Seen:
    """What is stored of it, as soon as all of it should be."""
    horizon = await arriving.wait_until_stored(partition, awaited.stood.last, STORED_SECONDS)
    return Seen() if horizon is None else await arriving.find(awaited.ids, horizon)
