"""What is asked of MongoDB while messages are handed out, beside what the follower reads."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from bson import ObjectId
from django.conf import settings
from django.db import connection

from leases_app import partitioning
from messages_app import expired as records
from messages_app.searching import archive
from messages_app.searching.history import Document, collection, fill
from messages_app.searching.primary import async_session_after, read_at, session_after
from relaybase.connections import async_messages, one_per_loop
from relaybase.gathering import Gathering
from relaycore.channels import partition_of
from relaycore.delivering.holding import Held, Message, Reread, matched
from relaycore.errors import Disconnected
from relaycore.storing.expiring import NOTHING, Expired

_MOST: Final = 1000
_PIECE: Final = 100
"""Messages read at once, of which some may be too many."""

_PAGES: Final = 4
_MOST_PER_PAGE: Final = 500
"""Of what waits so much is looked at in one question. The next one goes on from there."""

_NOT_STORED: Final = (
    "It is not known whether all is stored that waits for its turn. Try again in a few seconds."
)


async def expired(channel: str, read_at: str) -> Expired:
    """What is on record of what retention has deleted, asked once for all who ask at the same time.

    read_at: of what time the messages are that were read before (`relaycore.following.places.Page`). A
             server that was the primary until just now may have an older record, and deny what is missing

    Raises:
        Disconnected: the MongoDB that answers has fallen behind.
        PyMongoError: MongoDB does not answer.
    """
    return await _expired().find((channel, read_at)) or NOTHING


async def find(channel: str, ids: Sequence[bytes], most_bytes: int) -> dict[bytes, Document | None]:
    """The messages with these ids, the first ones first, until there are so many bytes; None: it is gone.

    Raises:
        Disconnected: Redis does not say, or MongoDB has fallen behind.
        PyMongoError: MongoDB does not answer.
    """
    return await asyncio.to_thread(_find, channel, ids, most_bytes)


def _find(channel: str, ids: Sequence[bytes], most_bytes: int) -> dict[bytes, Document | None]:
    partition = partition_of(channel, settings.RELAY_PARTITIONS)
    try:
        horizon = archive.look(partition, partitioning.layout())
    finally:
        connection.close()
    messages = collection()
    with session_after(messages, horizon.operation_time) as session:
        read: dict[bytes, Document | None] = {}
        for piece in (ids[at : at + _PIECE] for at in range(0, len(ids), _PIECE)):
            wanted = {"_id": {"$in": [ObjectId(id) for id in piece]}}
            with messages.find(wanted, session=session, batch_size=_PIECE) as found:
                by_id = {document["_id"].binary: document for document in found}
            for id in piece:
                read[id] = document = by_id.get(id)
                most_bytes -= 0 if document is None else len(document["message"])
                if most_bytes < 0:
                    return read
        return read


@dataclass(slots=True)
class Waited:
    """What was read to go on with keys that are open. `documents`: those that were found."""

    reread: dict[str, Reread] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)


async def reread(
    channel: str, opened: Sequence[Held], key_of: Callable[[Document], str], most_bytes: int
) -> Waited:
    """What comes next for these keys, until there are so many bytes; of some of them perhaps nothing yet.

    opened: the lowest first
    key_of: the key of a message; empty: it is not for the subscription

    Raises:
        Disconnected: Redis does not say that it is all stored, or MongoDB has fallen behind.
        PyMongoError: MongoDB does not answer.
    """
    waited = Waited({one.key: Reread(one.above, one.above) for one in opened})
    left, upto = list(opened), max((one.upto for one in opened), default="")
    for _ in range(_PAGES):
        if not left:
            break
        page = await asyncio.to_thread(_page, channel, left[0].above, upto, key_of)
        by_position = {document["position"]: document for document in page.messages}
        # After the page was read, never before.
        found = matched(left, page.keyed, page.looked, await expired(channel, page.read_at))
        for key, one in found.items():
            if one.found is not None:
                document = by_position[one.found[0]]
                most_bytes -= len(document["message"])
                if most_bytes < 0 and waited.documents:
                    return waited
                waited.documents.append(document)
            waited.reread[key] = one
        left = [one for one in left if one.key not in found]
    return waited


@dataclass(frozen=True, slots=True)
class _Page:
    messages: Sequence[Document]
    keyed: Sequence[Message]
    looked: str
    read_at: str


def _page(channel: str, above: str, upto: str, key_of: Callable[[Document], str]) -> _Page:
    partition = partition_of(channel, settings.RELAY_PARTITIONS)
    try:
        horizon = archive.look(partition, partitioning.layout())
    finally:
        connection.close()
    if horizon.below <= upto:
        raise Disconnected(_NOT_STORED)
    messages = collection()
    wanted = {"channel": channel, "position": {"$gt": above, "$lte": upto}}
    with session_after(messages, horizon.operation_time) as session:
        asked = messages.find(wanted, hint="channel_position", session=session).sort("position", 1)
        with asked.limit(_MOST_PER_PAGE + 1).batch_size(_PIECE) as found:
            read, is_more = fill(found, _MOST_PER_PAGE)
        looked = read[-1]["position"] if is_more else upto
        keyed = [(one["position"], one["_id"].binary, key_of(one)) for one in read]
        return _Page(read, keyed, looked, read_at(session))


@one_per_loop
def _expired() -> Gathering[tuple[str, str], Expired]:
    return Gathering(_read_expired, _MOST)


async def _read_expired(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Expired | Exception]:
    beside = async_messages().database[records.COLLECTION]
    channels = {channel for channel, _ in keys}
    async with async_session_after(beside, max(read_at for _, read_at in keys)) as session:
        wanted = {"_id": {"$in": sorted(channels)}}
        async with beside.find(wanted, session=session, batch_size=_MOST) as asked:
            found = {document["_id"]: records.of(document) async for document in asked}
    return {key: found[key[0]] for key in keys if key[0] in found}
