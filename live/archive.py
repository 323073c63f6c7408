"""What is asked of Redis, MongoDB and PostgreSQL for those who watch: in threads. It fails closed."""

import secrets
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from pymongo import ReturnDocument

from channels_app.completeness import Listened, listened
from leases_app import partitioning
from messages_app import expired as records
from messages_app.searching import archive, counting, watermark
from messages_app.searching.feed import Feed, Told
from messages_app.searching.following import Follower
from messages_app.searching.history import collection
from messages_app.searching.primary import session_after
from relaybase.connections import mongo_collection
from relaycore.channels import partition_of
from relaycore.errors import UnfitServer
from relaycore.following.places import MOST_PER_PAGE, Read
from relaycore.live.ids import is_epoch
from relaycore.live.ring import Entry
from relaycore.live.walk import Page
from relaycore.position import START
from relaycore.storing.expiring import Expired

COLLECTION: Final = "archive"
"""In MongoDB: what tells this archive from one that is made in its place. One document."""

_EPOCH: Final = "epoch"


@dataclass(frozen=True, slots=True)
class Standing:
    """What ids of events have in them beside positions: which archive it is, and how it is divided."""

    epoch: str
    generation: int


def standing() -> Standing:
    """How it is now. A new archive is given its name by whoever asks first.

    Raises:
        PyMongoError, django.db.Error: a server does not answer.
        UnfitServer: what stands there is no name; or everything is divided otherwise than we work.
    """
    try:
        generation = partitioning.require().generation
    finally:
        connection.close()
    named = mongo_collection(COLLECTION)
    found = named.find_one({"_id": _EPOCH}) or named.find_one_and_update(
        {"_id": _EPOCH},
        {"$setOnInsert": {"name": secrets.token_hex(6)}},
        upsert=True,
        return_document=ReturnDocument.AFTER,
    )
    epoch = None if found is None else found.get("name")
    if not isinstance(epoch, str) or not is_epoch(epoch):
        raise UnfitServer(f"In MongoDB the document {_EPOCH} of {COLLECTION} is none that Relay has written.")
    return Standing(epoch, generation)


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel that is followed from a position on. `listened`: whether it can miss something."""

    floor: str
    feed: Feed
    listened: Listened


def follow(follower: Follower, channel: str, told: Told) -> Opened:
    """Follow a channel from the last message on that is stored.

    Raises:
        Disconnected, UnfitServer, PyMongoError, django.db.Error: a server does not answer, or not as it must.
    """
    try:
        beside = watermark.require(partition_of(channel, settings.RELAY_PARTITIONS))
        floor = counting.newest(channel, beside.operation_time) or START
        heard = listened([channel])[channel]
        return Opened(floor, follower.follow(channel, floor, told), heard)
    finally:
        connection.close()


def read(channels: frozenset[str], after: str, floor: str) -> Page:
    """What the archive has of these channels, all of one partition, above a position.

    floor: of the rings, as it was before

    Raises:
        Disconnected, UnfitServer, PyMongoError, django.db.Error: nobody knows how far may be read, or what
            is there.
    """
    partition = partition_of(min(channels), settings.RELAY_PARTITIONS)
    try:
        horizon = archive.look(partition, partitioning.layout())
    finally:
        connection.close()
    asked = Read(channels, after, horizon.below, (), False, MOST_PER_PAGE)
    found = archive.find(asked, partition, horizon.operation_time)
    entries = [Entry(document) for document in found.messages]
    # After the messages: what is missing among them stood on record before.
    expired = _expired(channels, found.read_at or horizon.operation_time)
    return Page(after, entries, found.is_more, horizon.below, floor, expired)


def _expired(channels: frozenset[str], read_at: str) -> dict[str, Expired]:
    beside = collection().database[records.COLLECTION]
    with session_after(beside, read_at) as session:
        found = beside.find({"_id": {"$in": sorted(channels)}}, session=session)
        return {document["_id"]: records.of(document) for document in found}
