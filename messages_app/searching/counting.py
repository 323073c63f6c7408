"""How many messages a range has, which is the last one, and which are still there: without reading any.

All of it is answered from indexes alone.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from bson import ObjectId

from messages_app import expired
from messages_app.searching.history import collection
from messages_app.searching.primary import session_after
from relaycore.storing.expiring import Expired

_INDEX: Final = "channel_position"


@dataclass(frozen=True, slots=True)
class Count:
    """Messages of a range.

    messages: so many; as many as were counted at most if there are more
    is_all:   whether those are all
    first:    the position of the first one; empty if there is none
    """

    messages: int = 0
    is_all: bool = True
    first: str = ""


def count(channel: str, above: str, upto: str | None = None, *, most: int, seconds: float) -> Count:
    """How many are stored above a position, up to another one; at most so many are counted.

    Raises:
        pymongo.errors.PyMongoError: MongoDB does not answer, or takes longer than that.
    """
    bounds = {"$gt": above} if upto is None else {"$gt": above, "$lte": upto}
    steps: list[dict[str, Any]] = [
        {"$match": {"channel": channel, "position": bounds}},
        {"$sort": {"position": 1}},
        {"$limit": most + 1},
        {"$group": {"_id": None, "messages": {"$sum": 1}, "first": {"$min": "$position"}}},
    ]
    with collection().aggregate(steps, hint=_INDEX, maxTimeMS=max(1, int(seconds * 1000))) as found:
        for row in found:
            return Count(min(row["messages"], most), row["messages"] <= most, row["first"])
    return Count()


def newest(channel: str, operation_time: str) -> str | None:
    """The position of the last one that is stored; None: none is.

    operation_time: what is asked is not older (`messages_app.searching.primary`)

    Raises:
        Disconnected: the MongoDB that answers has fallen behind.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    with session_after(collection(), operation_time) as session:
        order, wanted = [("position", -1)], {"_id": 0, "position": 1}
        found = collection().find_one({"channel": channel}, wanted, sort=order, hint=_INDEX, session=session)
    return None if found is None else str(found["position"])


def those_there(ids: Iterable[bytes]) -> set[bytes]:
    """Of these ids those under which a message is stored. May raise `pymongo.errors.PyMongoError`."""
    wanted = {"_id": {"$in": [ObjectId(id) for id in ids]}}
    with collection().find(wanted, {"_id": 1}) as found:
        return {document["_id"].binary for document in found}


def deleted(channel: str) -> Expired:
    """What retention has deleted of a channel, by its record. May raise `pymongo.errors.PyMongoError`."""
    return expired.read(collection().database[expired.COLLECTION], channel)
