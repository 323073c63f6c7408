"""Messages as lists for people show them: the first characters. The payloads stay in MongoDB."""

import heapq
from collections.abc import Mapping
from typing import Any, Final, cast

import pymongo
from django.conf import settings

from leases_app import partitioning
from messages_app.searching.archive import look
from messages_app.searching.history import Document, collection
from messages_app.searching.primary import session_after
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.channels import partition_of

PAGE: Final = 50
_CHARACTERS: Final = 300

_IS_TEXT: Final = {"$eq": [{"$type": "$message"}, "string"]}
PREVIEW: Final[Mapping[str, Any]] = {
    "_id": 0,
    "id": "$_id",
    "channel": 1,
    "received_at": 1,
    "position": 1,
    "is_text": _IS_TEXT,
    "message": {"$cond": [_IS_TEXT, {"$substrCP": ["$message", 0, _CHARACTERS]}, ""]},
    "size": {"$cond": [_IS_TEXT, {"$strLenBytes": "$message"}, {"$binarySize": "$message"}]},
}
"""The projection of a preview: `message` is the beginning of a text, `size` that of the whole in bytes."""


def newest() -> list[Document]:
    """Previews of the newest messages of all channels, each below the watermark of its partition.

    Only channels that had a message lately can have one of the newest, and the writer notes
    when each had its last one. A page of them is merged from their ends by the index.

    Raises:
        Disconnected: Redis does not say up to where everything is stored.
        UnfitServer: the partitions are not those into which everything is divided.
        redis.RedisError, pymongo.errors.PyMongoError: a server cannot answer.
    """
    layout = partitioning.require()
    channels: dict[int, list[str]] = {}
    for channel in recent_channels(PAGE):
        channels.setdefault(partition_of(channel, layout.partitions), []).append(channel)
    horizons = {partition: look(partition, layout) for partition in channels}
    parts = [
        {"channel": {"$in": names}, "position": {"$lt": horizons[partition].below}}
        for partition, names in channels.items()
    ]
    if not parts:
        return []
    wanted, messages = parts[0] if len(parts) == 1 else {"$or": parts}, collection()
    with session_after(messages, max(horizon.operation_time for horizon in horizons.values())) as session:
        found = messages.find(wanted, PREVIEW, hint="channel_position", session=session)
        return list(found.sort("position", pymongo.DESCENDING).limit(PAGE))


def recent_channels(count: int) -> list[str]:
    """The channels that had a message last.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    latest: list[tuple[int, bytes]] = []
    for partition in range(settings.RELAY_PARTITIONS):
        times = cast(Mapping[bytes, bytes], shared_redis().hgetall(keys.last_at(partition)))
        latest = heapq.nlargest(count, [*latest, *((int(at), name) for name, at in times.items())])
    return [name.decode() for _, name in latest]
