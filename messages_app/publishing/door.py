"""The way in: what is published on a channel, until it stands on the stream."""

import asyncio
import functools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from django.conf import settings

from channels_app.registration import unknown
from channels_app.remembering import KnownChannel, RememberedChannels
from messages_app.publishing.appending import Appending, Stood
from messages_app.publishing.footing import Footing, footing_of
from messages_app.publishing.line import Line
from messages_app.publishing.looking import Looking
from messages_app.publishing.taking import Body, Producer, Taken, take
from relaybase.connections import one_per_loop
from relaycore.channels import partition_of
from relaycore.errors import Disconnected, NotTaken
from relaycore.publishing.queue import Echo, Published, Room

NO_ROOM = "More is being published than this process takes up at once. Try again in a few seconds."


class Door:
    """Of one event loop."""

    def __init__(self) -> None:
        self._line = Line("relay-publisher", self._opened, self._failed)
        self._looking = Looking(self._line)
        self._room = Room(settings.RELAY_PUBLISH_MEMORY_BYTES)
        self._footings: dict[int, Footing] = {}
        self._asked: dict[int, asyncio.Task[Footing]] = {}
        self._appending: dict[Footing, Appending] = {}

    @asynccontextmanager
    async def room(self, size: int) -> AsyncIterator[None]:
        """Hold room for a body of so many bytes, before it is read and until it is answered.

        Raises:
            NotTaken: there is none.
        """
        if not self._room.take(size):
            raise NotTaken(NO_ROOM)
        try:
            yield
        finally:
            self._room.give(size)

    async def publish(self, channel: KnownChannel, body: Body, producer: Producer) -> "Receipt":
        """Put all messages of a body on the stream.

        Raises:
            BadBody, BadMessage, MessageTooLarge, TooMuchAtOnce: it is none, or not all of it.
            Disconnected, NotTaken, UnfitServer, redis.ResponseError: as `Appending.append`.
            django.db.Error: nobody knows yet how everything is divided, and PostgreSQL does not answer.
        """
        taken = await take(body, channel, producer, settings.RELAY_MESSAGE_MAX_BYTES)
        partition = partition_of(channel.channel, settings.RELAY_PARTITIONS)
        footing = self._footings.get(partition) or await self._learn_footing(partition)
        echo = (
            Echo(channel.channel.encode(), taken.payloads) if channel.listen and channel.republish else None
        )
        published = Published(taken.documents, echo)
        stood = await self._appending_on(footing).append(published)
        return Receipt(taken, partition, stood, published.may_repeat)

    def _appending_on(self, footing: Footing) -> Appending:
        found = self._appending.get(footing)
        if found is None:
            found = Appending(footing, self._line, self._looking, self._footings.clear)
            self._appending[footing] = found
        return found

    def _opened(self) -> None:
        for one in list(self._appending.values()):
            one.turn()

    def _failed(self, why: Disconnected) -> None:
        for one in list(self._appending.values()):
            one.give_up(why)

    async def _learn_footing(self, partition: int) -> Footing:
        """Look it up once, whoever asks meanwhile."""
        asked = self._asked.get(partition)
        if asked is None:
            asked = self._asked[partition] = asyncio.create_task(asyncio.to_thread(footing_of, partition))
            asked.add_done_callback(lambda _: self._asked.pop(partition))
        footing = self._footings[partition] = await asyncio.shield(asked)
        return footing


class Receipt:
    """What became of a request: the ids of its messages, and where they stand.

    may_repeat: it was appended more than once
    """

    def __init__(self, taken: Taken, partition: int, stood: Stood, may_repeat: bool) -> None:
        self.taken = taken
        self.partition = partition
        self.stood = stood
        self.may_repeat = may_repeat


@one_per_loop
def door() -> Door:
    """That of this event loop."""
    return Door()


async def channel(name: str) -> KnownChannel:
    """The channel of this name, from memory if it is there.

    Raises:
        ChannelUnknown: there is none.
        Disconnected: nobody can say it now.
    """
    found = _channels().known(name) or await _channels().find(name)
    if found is None:
        raise unknown(name)
    return found


@functools.lru_cache(maxsize=1)
def _channels() -> RememberedChannels:
    return RememberedChannels()
