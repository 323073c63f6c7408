"""The log of attempts, in MongoDB: when each was, what came of it. It ends by itself after a time.

It is a log, and decides nothing: what was delivered, and what is tried again, stands in PostgreSQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bson import Binary, ObjectId

from relaybase.connections import mongo_collection
from relaycore.sending.answers import Answer

COLLECTION: Final = "attempts"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try.

    subscription, endpoint: number and name
    at:     when it ended, in seconds since 1970, by the clock of the sender
    answer: what came of it
    """

    subscription: tuple[int, str]
    endpoint: tuple[int, str]
    message: ObjectId
    position: str
    attempt: int
    webhook_id: str
    answer: Answer
    at: float


def record(made: Sequence[Attempt]) -> None:
    """Keep these.

    Raises:
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    mongo_collection(COLLECTION).insert_many([_document(one) for one in made], ordered=False)


def _document(one: Attempt) -> dict[str, Any]:
    answer = one.answer
    return {
        "at": datetime.fromtimestamp(one.at, UTC),
        "subscription": one.subscription[0],
        "endpoint": one.endpoint[0],
        "message": one.message,
        "position": one.position,
        "attempt": one.attempt,
        "webhook_id": one.webhook_id,
        "status": answer.status,
        "failure": None if answer.failure is None else answer.failure.value,
        "detail": answer.detail,
        "seconds": answer.seconds,
        "answer": Binary(answer.body),
    }
