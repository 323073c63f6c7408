"""The records of what retention has deleted (`relaycore.storing.expiring`): a document for each channel."""

from collections.abc import Mapping
from typing import Any, Final

from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from relaycore.storing.expiring import NOTHING, Expired

COLLECTION: Final = "expired"


def read(collection: Collection[Any], channel: str, session: ClientSession | None = None) -> Expired:
    """Of one channel. May raise `PyMongoError`, as the others here."""
    return of(collection.find_one({"_id": channel}, session=session))


def read_all(collection: Collection[Any]) -> dict[str, Expired]:
    """By channel, of those that have a record."""
    return {found["_id"]: of(found) for found in collection.find()}


def replace(collection: Collection[Any], channel: str, known: Expired, by: Expired) -> bool:
    """Put this on record in place of what is known; False if that is not what stands there any more."""
    if known == NOTHING:
        try:
            collection.insert_one({"_id": channel, **_fields(by)})
        except DuplicateKeyError:
            return False
        return True
    return collection.update_one({"_id": channel, **_fields(known)}, {"$set": _fields(by)}).matched_count == 1


def _fields(record: Expired) -> dict[str, Any]:
    return {"upto": record.upto, "messages": record.messages, "going": record.going}


def of(document: Mapping[str, Any] | None) -> Expired:
    """What a document of the collection says; None: there is none."""
    return NOTHING if document is None else Expired(document["upto"], document["messages"], document["going"])
