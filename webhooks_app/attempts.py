"""The log of attempts, in MongoDB: what became of each try to hand a message to an endpoint.

A log, and nothing that decides: what is to be sent, when, and what was is in PostgreSQL. So one server's word
is enough for a write, and a sender that cannot write it goes on. What a server forgets that dies right
then is missing in the log.

Never what was sent, nor with what it was signed. Of an answer the first KiB: it is the endpoint's, and shown
to whoever may see the endpoint.

Each says when MongoDB deletes it: `RELAY_ATTEMPTS_SECONDS` after it began.
"""

import logging
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import count
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from bson import ObjectId, encode
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument
from django.conf import settings
from pymongo import DESCENDING, WriteConcern
from pymongo.errors import BulkWriteError

from relaybase.connections import mongo_collection
from relaybase.mongo import reading
from relaycore.sending.answers import MOST_KEPT, Failure

log = logging.getLogger(__name__)

COLLECTION: Final = "attempts"

MOST_PER_PAGE: Final = 1000

_DUPLICATE: Final = 11000
_ID_BYTES: Final = 12


class Of(StrEnum):
    """Whose attempts are looked at; its values are names in the documents."""

    SUBSCRIPTION = "subscription"
    ENDPOINT = "endpoint"
    MESSAGE = "message_id"
    BATCH = "webhook_id"


class Attempted(NamedTuple):
    """One attempt. A tuple, as one is made for each.

    at:           when it began, by the sender's clock
    subscription: its key, and its name then; the same of the endpoint
    message:      the id, 12 bytes; of a batch each of its messages has an attempt
    attempt:      which one, from 1
    webhook_id:   what the request said as `webhook-id`
    status:       of the answer; None: there was none, and `failure` says why
    seconds:      how long it took
    answer:       what its body began with, 1 KiB at most
    """

    at: datetime
    subscription: int
    subscription_name: str
    endpoint: int
    endpoint_name: str
    message: bytes
    position: str
    attempt: int
    webhook_id: str
    status: int | None
    failure: Failure | None
    seconds: float
    answer: bytes = b""

    @property
    def is_in_batch(self) -> bool:
        """Whether it was sent with others, or as what is left of them."""
        return self.webhook_id != self.message.hex()


@dataclass(frozen=True, slots=True)
class Page:
    """Some attempts, newest first; `next`: the cursor of the page after it, None if this is the last one."""

    attempts: list[Attempted]
    next: str | None


def record(attempts: Iterable[Attempted]) -> int:
    """Put these on record, and say how many of them never can be. It may take seconds.

    Raises:
        PyMongoError: MongoDB does not answer. They may be recorded once more, or let go.
    """
    documents, refused = [], 0
    kept_for_ms = round(settings.RELAY_ATTEMPTS_SECONDS * 1000)
    process = ObjectId().binary[:-_COUNTED_BYTES]
    for one in attempts:
        try:
            documents.append(RawBSONDocument(_document(one, process, kept_for_ms)))
        except (BSONError, OverflowError, TypeError, ValueError, struct.error) as exc:
            refused += 1  # It is none that a document can be made of, and keeps no other one waiting.
            log.warning("an attempt cannot be logged: %s", type(exc).__name__)
    if not documents:
        return refused
    collection = mongo_collection(COLLECTION).with_options(write_concern=WriteConcern(w=1))
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as exc:
        # Those that are there twice the driver has sent twice: the first time they had arrived.
        errors = [one for one in exc.details["writeErrors"] if one["code"] != _DUPLICATE]
        if errors:
            log.warning("%d attempts cannot be logged: MongoDB says %s", len(errors), errors[0]["code"])
        refused += len(errors)
    return refused


class Glimpse(NamedTuple):
    """When an attempt began, its answer's status, and how long it took."""

    at: datetime
    status: int | None
    seconds: float


def glimpses(endpoint: int, since: datetime, most: int) -> list[Glimpse]:
    """The attempts at an endpoint since then, the newest first, at most so many.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    # Ids grow with the time at which they were written, which is after that at which they began.
    looked_for = {"endpoint": endpoint, "_id": {"$gte": ObjectId.from_datetime(since)}}
    wanted = {"_id": 0, "at": 1, "status": 1, "seconds": 1}
    found = reading.collection(COLLECTION).find(looked_for, wanted).sort("_id", DESCENDING).limit(most)
    return [Glimpse(one["at"], one["status"], one["seconds"]) for one in found.batch_size(most)]


def is_cursor(text: str) -> bool:
    """Whether a page may have given it."""
    return ObjectId.is_valid(text)


def read(
    of: Of,
    key: int | bytes | str,
    cursor: str | None = None,
    most: int = 100,
    also: Mapping[Of, int | bytes | str] = MappingProxyType({}),
) -> Page:
    """A page of the attempts of one subscription, endpoint (their keys), message (its id) or batch (its id).

    The newest first. In a batch each message has one.

    A page costs the same wherever it is. Of those of one sender newer ones come first; of several, which
    is so only after a shard has changed hands or across subscriptions, within a second in any order.

    cursor: as a page has given it (`is_cursor`)
    also:   and of these as well. `of` is what the fewest are of

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    wanted = {**also, of: key}
    looked_for: dict[str, Any] = {
        one.value: ObjectId(value) if isinstance(value, bytes) else value for one, value in wanted.items()
    }
    if Of.BATCH in wanted:
        looked_for["is_in_batch"] = True
    if cursor is not None:
        looked_for["_id"] = {"$lt": ObjectId(cursor)}
    most = max(1, min(most, MOST_PER_PAGE))
    asked = reading.collection(COLLECTION).find(looked_for).sort("_id", DESCENDING).limit(most + 1)
    found = list(asked.hint(_INDEXES[of]) if also else asked)
    page = found[:most]
    return Page([_attempted(one) for one in page], str(page[-1]["_id"]) if len(found) > most else None)


_INDEXES: Final = {
    Of.SUBSCRIPTION: "subscription_id",
    Of.ENDPOINT: "endpoint_id",
    Of.MESSAGE: "message_id_id",
    Of.BATCH: "webhook_id_id",
}


# --- as a document ---------------------------------------------------------------------------
#
# One is made for each delivery, and an encoder that is given a dictionary takes three times as long. An
# element is a type, a name and a value (https://bsonspec.org/spec.html); what many share is encoded once.

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_COUNTED_BYTES: Final = 3
"""Of an id: so it counts what one process has written, behind the second and what stands for the process."""

_written: Final = count()
_ID, _MESSAGE, _AT, _EXPIRES_AT = b"\x07_id\0", b"\x07message_id\0", b"\x09at\0", b"\x09expires_at\0"
_ATTEMPT, _SECONDS = b"\x10attempt\0", b"\x01seconds\0"
_POSITION, _WEBHOOK_ID, _ANSWER = b"\x02position\0", b"\x02webhook_id\0", b"\x05answer\0"
_FIXED: Final = struct.Struct(
    f"<i{len(_ID)}s12s{len(_MESSAGE)}s12s{len(_AT)}sq{len(_EXPIRES_AT)}sq{len(_ATTEMPT)}si{len(_SECONDS)}sd"
)
_IN_BATCH: Final = b"\x08is_in_batch\0\1"
_LENGTH: Final = struct.Struct("<i").pack
_LEAST_BYTES: Final = _FIXED.size + len(_POSITION) + len(_WEBHOOK_ID) + len(_ANSWER) + 2 * 5 + 5 + 1
"""Of a document, without what is shared, and without what stands in its texts."""


def _document(one: Attempted, process: bytes, kept_for_ms: int) -> bytes:
    """`process`: what the ids of this one begin with, at this second."""
    message, attempt = one.message, one.attempt
    if len(message) != _ID_BYTES:
        raise ValueError("no id of a message")
    id = process + (next(_written) & 0xFFFFFF).to_bytes(_COUNTED_BYTES, "big")
    at = (one.at - _EPOCH) // _MILLISECOND
    shared = _shared(*one[1:5], one.status, one.failure)
    position, webhook_id, answer = one.position.encode(), one.webhook_id.encode(), one.answer[:MOST_KEPT]
    end = _IN_BATCH if one.is_in_batch else b""
    size = _LEAST_BYTES + len(shared) + len(position) + len(webhook_id) + len(answer) + len(end)
    times = _AT, at, _EXPIRES_AT, at + kept_for_ms
    return b"%b%b%b%b%b\0%b%b%b\0%b%b\0%b%b\0" % (
        _FIXED.pack(size, _ID, id, _MESSAGE, message, *times, _ATTEMPT, attempt, _SECONDS, one.seconds),
        shared,
        *(_POSITION, _LENGTH(len(position) + 1), position),
        *(_WEBHOOK_ID, _LENGTH(len(webhook_id) + 1), webhook_id),
        *(_ANSWER, _LENGTH(len(answer)), answer, end),
    )


@lru_cache(4096)
def _shared(
    subscription: int,
    subscription_name: str,
    endpoint: int,
    endpoint_name: str,
    status: int | None,
    failure: Failure | None,
) -> bytes:
    """What is the same of many."""
    names = {"subscription_name": subscription_name, "endpoint": endpoint, "endpoint_name": endpoint_name}
    outcome = {"status": status, "failure": None if failure is None else failure.value}
    return _elements({"subscription": subscription, **names, **outcome})


def _elements(of: dict[str, Any]) -> bytes:
    """Without the length that a document begins with, and without its end."""
    return encode(of)[4:-1]


def _attempted(document: Mapping[str, Any]) -> Attempted:
    failure = document["failure"]
    return Attempted(
        at=document["at"],
        subscription=document["subscription"],
        subscription_name=document["subscription_name"],
        endpoint=document["endpoint"],
        endpoint_name=document["endpoint_name"],
        message=document["message_id"].binary,
        position=document["position"],
        attempt=document["attempt"],
        webhook_id=document["webhook_id"],
        status=document["status"],
        failure=None if failure is None else Failure(failure),
        seconds=document["seconds"],
        answer=bytes(document["answer"]),
    )
