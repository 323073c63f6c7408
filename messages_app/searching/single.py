"""One message by its id, without a thread."""

from bson import ObjectId

from messages_app.searching.history import Document
from relaybase.connections import async_messages


async def find(key: str) -> Document | None:
    """The message with this id of 24 hexadecimal digits; None if there is none.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    return await async_messages().find_one({"_id": ObjectId(key)})
