"""The way in: what is published on a channel, until it stands on the stream."""

import asyncio
import functools

from django.conf import settings

from channels_app.remembering import KnownChannel, RememberedChannels
from messages_app.publishing.footing import Footing, footing_of
from messages_app.publishing.lane import Lane
from messages_app.publishing.limits import Allowed, Limit
from messages_app.publishing.limits import take as take_out
from messages_app.publishing.taking import Body, Chance, Producer, Taken, take
from messages_app.publishing.usage import Usage
from relaybase.connections import one_per_loop
from relaycore.channels import partition_of
from relaycore.envelope import key_of
from relaycore.errors import ChannelUnknown
from relaycore.publishing.queue import Echo, Published, Room, Share
from relaycore.publishing.standing import Awaited, Stood

_COUNT_SECONDS = 1.0


class Door:
    """Of one event loop."""

    def __init__(self) -> None:
        self._footings: dict[int, Footing] = {}
        self._asked: dict[int, asyncio.Task[Footing]] = {}
        self._lane = Lane("relay-publisher", self._footings.clear)
        self._replicated = Lane("relay-replicated", self._footings.clear, is_replicated=True)
        self._line = self._lane.line
        self._usage = Usage()
        self._chance = Chance()
        self._room = Room(settings.RELAY_PUBLISH_MEMORY_BYTES)

    def share(self) -> Share:
        """For what one request takes up, from before its body is read until it is answered."""
        return Share(self._room)

    async def take(self, body: Body, channel: KnownChannel, producer: Producer) -> Taken:
        """The messages of a body, as `taking.take`."""
        return await take(body, channel, producer, self._chance)

    async def allow(self, channel: KnownChannel, producer: Producer, messages: int) -> Allowed:
        """Whether so many may be published now."""
        limits = [
            Limit(name, who, per_second)
            for name, who, per_second in (
                ("producer", producer.who, settings.RELAY_PUBLISH_PRODUCER_MESSAGES_PER_SECOND),
                ("channel", channel.channel, settings.RELAY_PUBLISH_CHANNEL_MESSAGES_PER_SECOND),
            )
            if per_second
        ]
        return await take_out(self._line, limits, messages)

    def count(self, channel: KnownChannel, producer: Producer, taken: Taken | None) -> None:
        """Count what was published; None: it was refused."""
        pair = (producer.name, channel.channel)
        if taken is None:
            is_first = self._usage.add(pair, refused=1)
        else:
            size = sum(map(len, taken.payloads))
            is_first = self._usage.add(pair, messages=len(taken.payloads), size=size)
        if is_first:
            asyncio.get_running_loop().call_later(_COUNT_SECONDS, self._bring_counts)

    def _bring_counts(self) -> None:
        if self._line.is_open:
            self._line.call(self._usage.command(), lambda reply: None)
        else:
            asyncio.get_running_loop().call_later(_COUNT_SECONDS, self._bring_counts)

    async def publish(self, channel: KnownChannel, taken: Taken, *, is_replicated: bool = False) -> "Receipt":
        """Put all of it on the stream, and on that of a replica if it is to be there as well.

        Raises:
            Disconnected, NotTaken, NoReplica, UnfitServer, redis.ResponseError: as `Lane.append`.
            django.db.Error: nobody knows yet how everything is divided, and PostgreSQL does not answer.
        """
        partition = partition_of(channel.channel, settings.RELAY_PARTITIONS)
        footing = self._footings.get(partition) or await self._learn_footing(partition)
        echo = (
            Echo(channel.channel.encode(), taken.payloads) if channel.listen and channel.republish else None
        )
        published = Published(taken.documents, echo)
        lane = self._replicated if is_replicated else self._lane
        stood = await lane.append(footing, published)
        return Receipt(taken, partition, stood, published.may_repeat)

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

    @property
    def awaited(self) -> Awaited:
        """For whoever waits until all of it is stored."""
        ids = list(map(key_of, self.taken.documents))
        return Awaited(ids, self.stood, self.taken.received_at, self.may_repeat)


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
        raise ChannelUnknown(f'The channel "{name}" is not relayed. POST /api/v1/channels makes it.')
    return found


@functools.lru_cache(maxsize=1)
def _channels() -> RememberedChannels:
    return RememberedChannels()
