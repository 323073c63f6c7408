"""What a follower asks of Redis and MongoDB. It fails closed: what is not known is an error."""

from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from pymongo.client_session import ClientSession

from messages_app import beside
from messages_app.searching.history import Document, collection, fill
from messages_app.searching.primary import read_at, session_after
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.channels import partition_of
from relaycore.errors import Disconnected, UnfitServer, one_line
from relaycore.following.places import Horizon, Read
from relaycore.layout import Layout, misfit


def look(partition: int, layout: Layout) -> Horizon:
    """How far may be read. MongoDB is to be asked after it, never before.

    layout: under which it is read. Where a channel belongs depends on it, and so does whose watermark counts.

    Raises:
        Disconnected: Redis does not say.
        UnfitServer: everything is divided otherwise by now.
    """
    client = shared_redis()
    try:
        found = beside.look(client, partition)
        stands: Any = client.get(keys.layout(partition))
    except redis.RedisError as exc:
        raise Disconnected(f"Redis does not say up to where everything is stored: {one_line(exc)}") from exc
    if (why := misfit(layout, [None if stands is None else stands.decode(errors="replace")])) is not None:
        raise UnfitServer(why)
    return Horizon.of(found)


@dataclass(frozen=True, slots=True)
class Found:
    """What was read.

    is_more: there is more; a page ends early if its payloads are large
    read_at: by MongoDB's count, of what time that was. What is asked of it later must not be older
    """

    messages: list[Document]
    is_more: bool = False
    read_at: str = ""


def find(read: Read, partition: int, operation_time: str) -> Found:
    """The messages.

    operation_time: that of the look by which this is read

    Raises:
        Disconnected: the MongoDB that answers has fallen behind.
        pymongo.errors.PyMongoError: MongoDB cannot answer.
    """
    if read.is_empty:
        return Found([])
    messages = collection()
    with session_after(messages, operation_time) as session:
        of_partition = read.channels is None
        channels = _channels_of(partition, session) if of_partition else sorted(read.channels or ())
        wanted = {"channel": {"$in": channels}, "position": {"$gt": read.after, "$lt": read.below}}
        asked = messages.find(wanted, hint="channel_position", session=session).sort("position", 1)
        with asked.limit(read.limit + 1).batch_size(read.limit + 1) as found:
            messages_found, is_more = fill(found, read.limit)
        return Found(messages_found, is_more, read_at(session))


def _channels_of(partition: int, session: ClientSession) -> list[str]:
    """The channels of a partition of which anything is stored. From the index: each one is looked at once."""
    names: list[str] = collection().distinct("channel", session=session)
    return [name for name in names if partition_of(name, settings.RELAY_PARTITIONS) == partition]
