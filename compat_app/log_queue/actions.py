"""What is asked, and what is answered."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from access_app.actor import Actor
from compat_app.log_queue import registering, standing
from compat_app.log_queue.asked import Said
from compat_app.log_queue.counting import counts
from compat_app.log_queue.failures import NO_TOPIC, Failure
from compat_app.log_queue.reader import IsGone, Reader
from compat_app.log_queue.readers import readers
from compat_app.log_queue.registering import in_a_thread
from compat_app.log_queue.remembering import CONSUMER, PRODUCER, Known, ids
from messages_app.publishing.door import channel as known_channel
from messages_app.publishing.door import door
from messages_app.publishing.taking import Body, Producer
from relaybase.http.hot import Holder
from relaycore.channels import LOG_QUEUE
from relaycore.errors import ChannelExists, ChannelUnknown, NotTaken
from relaycore.position import POSITION_CHARS, START, entry_of, is_position, order
from relaycore.publishing.queue import Share
from relaycore.rights import CONSUME, PUBLISH

Answer = dict[str, Any]

NO_ROOM: Final = "More is being produced than this process takes up at once. Try again in a few seconds."


@dataclass(frozen=True, slots=True)
class Call:
    """A request.

    holder:  who asks; None: anybody may
    share:   of the memory for what is published
    hops:    so often webhooks have sent it
    is_gone: whether the client has gone away
    """

    said: Said
    holder: Holder | None
    producer: Producer
    actor: Actor
    share: Share
    hops: int
    is_gone: IsGone

    def channel(self, right: str) -> str:
        """The channel of the topic that is meant.

        Raises:
            Failure: there is no topic in it, or this right is missing.
        """
        channel = LOG_QUEUE + self.said.topic()
        self.require(right, channel)
        return channel

    def require(self, right: str, channel: str) -> None:
        """Nothing if he may.

        Raises:
            Failure: he may not.
        """
        if self.holder is not None and (refusal := self.holder.refusal(right, channel)) is not None:
            raise Failure(refusal)

    def may_see(self, channel: str) -> bool:
        """Whether he is told of this topic."""
        holder = self.holder
        return holder is None or any(holder.refusal(right, channel) is None for right in (PUBLISH, CONSUME))


Work = Callable[[Call], Awaitable[Answer]]


# --- topics ----------------------------------------------------------------------------------


async def topics(call: Call) -> Answer:
    """Their names."""
    found: Sequence[str] = await in_a_thread(call.actor, registering.topics)
    return {"topics": [channel.removeprefix(LOG_QUEUE) for channel in found if call.may_see(channel)]}


async def make_topic(call: Call) -> Answer:
    """Another one."""
    topic, channel = call.said.topic(), call.channel(PUBLISH)
    try:
        await in_a_thread(call.actor, lambda: registering.make_topic(channel))
    except ChannelExists as exc:
        raise Failure(f"Topic '{topic}' already exists.") from exc
    return {"message": f"Topic '{topic}' created successfully."}


# --- producers -------------------------------------------------------------------------------


async def register_producer(call: Call) -> Answer:
    """A new producer of a topic, which is made if there is none."""
    channel = call.channel(PUBLISH)
    return {"producer_id": await in_a_thread(call.actor, lambda: registering.make_producer(channel))}


async def produce(call: Call) -> Answer:
    """One message. It stands on the stream once this is answered."""
    channel = call.channel(PUBLISH)
    message, client = call.said.message(), call.said.client()
    await _member(PRODUCER, call.said.id("producer_id"), channel)
    known, way_in = await known_channel(channel), door()
    taken = None
    try:
        body = Body("text/plain", message.encode(), is_packed=False, key=None, hops=call.hops)
        taken = await way_in.take(body, known, call.producer)
        more = sum(map(len, taken.documents)) - call.share.size
        if more > 0 and not call.share.grow(more):
            raise NotTaken(NO_ROOM)
        await way_in.publish(known, taken)
    except Exception:
        way_in.count(known, call.producer, None)
        raise
    way_in.count(known, call.producer, taken)
    if client is not None:
        await counts().produced(client)
    return {}


async def client_size(call: Call) -> Answer:
    """How many messages a program has produced, by what it calls itself."""
    if (client := call.said.client()) is None:
        raise Failure("prod_client must be given.")
    await counts().settle()
    return {"count": await in_a_thread(call.actor, lambda: registering.produced(client))}


# --- consumers -------------------------------------------------------------------------------


async def register_consumer(call: Call) -> Answer:
    """A new consumer of a topic, before its first message."""
    channel = call.channel(CONSUME)
    return {"consumer_id": await in_a_thread(call.actor, lambda: registering.make_consumer(channel))}


async def consume(call: Call) -> Answer:
    """The next message. It is this consumer's once it is answered, and the offset is above it."""
    found = await (await _reader(call)).consume(call.is_gone)
    if found is None:
        raise Failure(f"No new message is published to {call.said.topic()}.")
    payload = found["message"]
    text = payload if isinstance(payload, str) else payload.decode(errors="replace")
    return {"message": text, "offset": _offset_of(found["position"])}


async def size(call: Call) -> Answer:
    """How many messages a consumer has left."""
    return {"size": await (await _reader(call)).left()}


async def set_offset(call: Call) -> Answer:
    """A consumer goes on after this offset."""
    known = await ids().find(CONSUMER, call.said.id("consumer_id"))
    if known is None:
        raise Failure(_unknown(CONSUMER))
    call.require(CONSUME, known.channel)
    position = _position_of(call.said.number("offset"))
    # One that lies ahead would pass over messages that nobody has produced yet.
    if order(entry_of(position)) > order(await standing.last_produced(known.channel)):
        raise Failure(_NO_OFFSET)
    await readers().of(known).seek(position, call.actor)
    return {}


_NO_OFFSET: Final = "offset must be one that consume has answered, or -1 for the start."


def _offset_of(position: str) -> int:
    """A position as a number; a later one is greater."""
    return int(position.replace("-", ""))


def _position_of(offset: int) -> str:
    if offset == -1:
        return START
    digits = f"{offset:0{POSITION_CHARS - 2}d}"
    position = f"{digits[:13]}-{digits[13:23]}-{digits[23:]}"
    if offset < 0 or not is_position(position):
        raise Failure(_NO_OFFSET)
    return position


async def _reader(call: Call) -> Reader:
    channel = call.channel(CONSUME)
    return readers().of(await _member(CONSUMER, call.said.id("consumer_id"), channel))


async def _member(kind: str, id: int, channel: str) -> Known:
    """Who has this id, if the topic is his.

    Raises:
        Failure: there is no such topic, or he is none of its.
    """
    known = await ids().find(kind, id)
    if known is not None and known.channel == channel:
        return known
    try:
        await known_channel(channel)
    except ChannelUnknown as exc:
        raise Failure(NO_TOPIC) from exc
    raise Failure(_unknown(kind))


def _unknown(kind: str) -> str:
    return f"There is no such {kind} of this topic."


ROUTES: Final[Mapping[str, Mapping[str, tuple[str, Work]]]] = {
    "/topics": {"GET": ("topics", topics), "POST": ("make-topic", make_topic)},
    "/producer/register": {"POST": ("register-producer", register_producer)},
    "/consumer/register": {"POST": ("register-consumer", register_consumer)},
    "/producer/produce": {"POST": ("produce", produce)},
    "/consumer/consume": {"GET": ("consume", consume), "POST": ("consume", consume)},
    "/size": {"GET": ("size", size), "POST": ("size", size)},
    "/consumer/set_offset": {"POST": ("set-offset", set_offset)},
    "/producer/client_size": {"GET": ("client-size", client_size)},
}
"""By path and method: what it is counted as, and who answers."""
