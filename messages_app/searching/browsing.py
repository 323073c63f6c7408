"""Messages as a person looks through them: one page of previews, in either direction.

A page is found through the index (channel, position) and its bounds are positions, so it
takes as long anywhere. Times are bounds too: a position begins with when Redis appended
the message. Payloads stay in MongoDB but for the first characters.
"""

import heapq
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, cast

import pymongo
from django.conf import settings

from messages_app.searching import watermark
from relaycore.channels import partition_of
from relaycore.position import first_of
from relayproject import keys
from relayproject.connections import mongo_collection, shared_redis

PAGE: Final = 50
_PREVIEW: Final = 300
_PATIENCE_SECONDS: Final = 5.0
"""A search for text looks at each message between the bounds; longer than this it may not take."""

_IS_TEXT: Final = {"$eq": [{"$type": "$message"}, "string"]}
_SHOWN: Final = {
    "channel": 1,
    "received_at": 1,
    "position": 1,
    "text": {"$cond": [_IS_TEXT, {"$substrCP": ["$message", 0, _PREVIEW]}, None]},
    "size": {"$cond": [_IS_TEXT, {"$strLenBytes": "$message"}, {"$binarySize": "$message"}]},
}


@dataclass(frozen=True, slots=True)
class Preview:
    """A message in a list. `text` is None where the payload is not text; `size` in bytes."""

    id: str
    channel: str
    received_at: datetime
    position: str
    text: str | None
    size: int


@dataclass(frozen=True, slots=True)
class Page:
    """Newest first. There are newer messages `above` a position, older ones `below` one; or None."""

    messages: list[Preview]
    above: str | None = None
    below: str | None = None


def browse(
    channel: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    contains: str = "",
    above: str | None = None,
    below: str | None = None,
) -> Page:
    """A page of one channel: the newest, or those next to a position.

    Raises:
        pymongo.errors.PyMongoError: MongoDB cannot answer, or its `timeout` says that it took too long.
    """
    mark = watermark.read(partition_of(channel, settings.RELAY_PARTITIONS))
    low, high = _position(since), _position(until)
    bounds: dict[str, str] = {}
    if uppers := [position for position in (below, mark, high) if position]:
        bounds["$lt"] = min(uppers)
    if low:
        bounds["$gte"] = low
    if above and above >= low:
        bounds.pop("$gte", None)
        bounds["$gt"] = above
    wanted: dict[str, Any] = {"channel": channel, **({"position": bounds} if bounds else {})}
    if contains:
        wanted["message"] = {"$regex": re.escape(contains)}
    found = _find(wanted, newest_first=above is None)
    more, found = len(found) > PAGE, found[:PAGE]
    if above is not None:
        found.reverse()
        return Page(found, found[0].position if more else None, found[-1].position if found else None)
    came_from_newer = below is not None and bool(found)
    return Page(found, found[0].position if came_from_newer else None, found[-1].position if more else None)


def newest() -> Page:
    """The newest messages of all channels.

    Only channels that had a message lately can have one of the newest, and the writer notes
    when each had its last one. A page of them is merged from their ends by the index.

    Raises:
        redis.RedisError, pymongo.errors.PyMongoError: a server cannot answer.
    """
    names = recent_channels(PAGE)
    found = _find({"channel": {"$in": names}}, newest_first=True) if names else []
    return Page(found[:PAGE])


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


def _find(wanted: Mapping[str, Any], *, newest_first: bool) -> list[Preview]:
    pipeline: list[dict[str, Any]] = [
        {"$match": dict(wanted)},
        {"$sort": {"position": -1 if newest_first else 1}},
        {"$limit": PAGE + 1},
        {"$project": _SHOWN},
    ]
    with pymongo.timeout(_PATIENCE_SECONDS):
        rows = list(mongo_collection("messages").aggregate(pipeline, hint="channel_position"))
    return [
        Preview(
            str(row["_id"]),
            row["channel"],
            row["received_at"],
            row["position"],
            row["text"],
            row["size"],
        )
        for row in rows
    ]


def _position(when: datetime | None) -> str:
    if when is None:
        return ""
    milliseconds = int(when.timestamp() * 1000)
    return first_of(f"{min(max(milliseconds, 0), 9_999_999_999_999)}-0")
