"""One message by its id, without a thread, and in one read for all who ask at the same time."""

from collections.abc import Sequence
from typing import Final

from bson import ObjectId
from bson.errors import BSONError

from messages_app.searching.history import Document
from relaybase.connections import async_messages, one_per_loop
from relaybase.gathering import Gathering

_MOST: Final = 20
"""In one read: at a MiB each, what MongoDB sends within the time that an answer may take."""


async def find(key: str) -> Document | None:
    """The message with this id of 24 hexadecimal digits; None if there is none.

    Raises:
        PyMongoError: MongoDB does not answer.
        BSONError: what stands there cannot be read.
    """
    return await _reading().find(ObjectId(key))


@one_per_loop
def _reading() -> Gathering[ObjectId, Document]:
    return Gathering(_read, _MOST)


async def _read(ids: Sequence[ObjectId]) -> dict[ObjectId, Document | Exception]:
    if len(ids) == 1:
        found = await async_messages().find_one({"_id": ids[0]})
        return {} if found is None else {ids[0]: found}
    try:
        async with async_messages().find({"_id": {"$in": list(ids)}}, batch_size=_MOST) as cursor:
            return {document["_id"]: document async for document in cursor}
    except BSONError:
        # What somebody else has put there, and nobody can read, is the affair of who asks for it alone.
        return {id: found for id in ids for id, found in (await _read_alone(id)).items()}


async def _read_alone(id: ObjectId) -> dict[ObjectId, Document | Exception]:
    try:
        return await _read([id])
    except BSONError as exc:
        return {id: exc}
