"""What is asked of MongoDB while messages are handed out, beside what the follower reads."""

import asyncio
from collections.abc import Sequence
from typing import Final

from bson import ObjectId
from django.conf import settings
from django.db import connection

from leases_app import partitioning
from messages_app import expired as records
from messages_app.searching import archive
from messages_app.searching.history import Document, collection
from messages_app.searching.primary import async_session_after, session_after
from relaybase.connections import async_messages, one_per_loop
from relaybase.gathering import Gathering
from relaycore.channels import partition_of
from relaycore.storing.expiring import NOTHING, Expired

_MOST: Final = 1000
_PIECE: Final = 100
"""Messages read at once, of which some may be too many."""


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
