"""What MongoDB says of each partition, beside the messages: one `relaycore.storing.known.Kept` for each.

Written durably, as the messages are, and fenced: from the moment that a writer has claimed it, none of an
earlier term changes it. Beside that, what its writers have put on record as missing: PostgreSQL may go back.
"""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from messages_app.writing.stream import last_epoch
from relaybase.connections import mongo_collection, shared_redis
from relaycore.errors import one_line
from relaycore.position import NEVER, entry_of, entry_prefix
from relaycore.storing.known import Kept

log = logging.getLogger(__name__)

COLLECTION = "partitions"

_NEVER = entry_prefix(NEVER)

_MOST_GAPS = 100
"""So many of the newest ones are kept."""


class KeptInMongo:
    """That of one partition. Every method may raise `PyMongoError`."""

    def __init__(self, collection: Collection[Any], partition: int) -> None:
        self._collection = collection
        self._partition = partition

    def claim(self, epoch: int) -> Kept | None:
        """What is kept, and from now on by nobody of an earlier term; None if this one is over."""
        try:
            found = self._collection.find_one_and_update(
                {"_id": self._partition, "epoch": {"$lte": epoch}},
                {"$set": {"epoch": epoch}},
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
        except DuplicateKeyError:  # It is there, and of a later term.
            return None
        return _kept(found or {"epoch": epoch})

    def keep(self, kept: Kept, known: int) -> bool:
        """Say this from now on; False if the term is over, or it says less than what is `known` to be kept.

        It says less if it was restored from an older copy meanwhile. What is newer must not hide that.
        """
        # An earlier attempt whose answer was lost may arrive after a later one: nothing falls. Ids are
        # written as positions are, so that MongoDB can tell which one is higher.
        changed = {
            "$set": {"run_id": kept.run_id},
            "$max": {
                "upto": kept.upto,
                "position": entry_prefix(kept.position),
                "mark": entry_prefix(kept.mark),
            },
        }
        as_known: dict[str, Any] = {"_id": self._partition, "epoch": kept.epoch}
        if known:
            as_known["upto"] = {"$gte": known}
        return self._collection.update_one(as_known, changed).matched_count == 1

    def note(self, gap: Mapping[str, Any]) -> None:
        """Keep what is on record as missing: a PostgreSQL that went back knows it no more."""
        last = {"$each": [gap], "$slice": -_MOST_GAPS}
        # Once: a writer that was killed before it could go on finds the same again.
        known = {"first_number": gap["first_number"], "began_at": gap["began_at"]}
        of_it = {"_id": self._partition, "gaps": {"$not": {"$elemMatch": known}}}
        self._collection.update_one(of_it, {"$push": {"gaps": last}})

    def gaps(self) -> Sequence[Mapping[str, Any]]:
        """What was noted so."""
        found = self._collection.find_one({"_id": self._partition}, {"gaps": 1}) or {}
        return list(found.get("gaps", ()))


def marks() -> list[str]:
    """The ids up to which something may be stored, of all partitions that ever were.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    marked = mongo_collection(COLLECTION).find({"mark": {"$exists": True}})
    return [entry_of(found["mark"]) for found in marked]


def highest_epoch(partition: int) -> int:
    """Of all writers of this partition, so that the next one claims above; 0 if nobody knows of one.

    PostgreSQL may have gone back, and one of the others with it. While one of them is away nobody can write:
    who has claimed too low an epoch ends when it is back.
    """
    return max(_highest_in_mongo(partition), _highest_in_redis(partition))


def _highest_in_mongo(partition: int) -> int:
    try:
        found = mongo_collection(COLLECTION).find_one({"_id": partition}, {"epoch": 1})
    except PyMongoError as exc:
        log.warning("partition %d: MongoDB cannot be asked who has written: %s", partition, one_line(exc))
        return 0
    return 0 if found is None else int(found["epoch"])


def _highest_in_redis(partition: int) -> int:
    try:
        return last_epoch(shared_redis(), partition)
    except redis.RedisError as exc:
        log.warning("partition %d: Redis cannot be asked who has written: %s", partition, one_line(exc))
        return 0


def _kept(document: Mapping[str, Any]) -> Kept:
    return Kept(
        epoch=document["epoch"],
        upto=document.get("upto", 0),
        position=entry_of(document.get("position", _NEVER)),
        mark=entry_of(document.get("mark", _NEVER)),
        run_id=document.get("run_id", ""),
    )
