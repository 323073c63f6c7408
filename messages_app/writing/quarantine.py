"""What cannot be stored is kept aside, with the reason: nothing is dropped silently."""

import datetime
import hashlib
import logging
import random
from collections.abc import Callable, Mapping
from typing import Any

import bson
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from relaybase.background import rest
from relaycore.backoff import Backoff
from relaycore.channels import MAX_NAME_BYTES
from relaycore.described import SAID
from relaycore.envelope import MAX_CARRIED_BYTES
from relaycore.position import first_of
from relaycore.storing import duplicates

log = logging.getLogger(__name__)

_MAX_REASON = 1000


def renewed_by(position: str) -> dict[str, Any]:
    """MongoDB's filter for `relaycore.storing.retrying.Row.is_renewed_by`."""
    return {"position": {"$lt": position}}


class Quarantine:
    """Puts messages and entries aside. Twice the same is once: the id comes from the position."""

    def __init__(self, collection: Collection[Any], stopping: Callable[[], bool]) -> None:
        self._collection = collection
        self._stopping = stopping

    def put_message(
        self, document: bytes, position: str, reason: str, row: bson.ObjectId | None = None
    ) -> None:
        """Put aside one message, given its envelope. An envelope that cannot be read is kept as it is.

        row: under which it was put aside before. It is renewed, also where somebody has discarded it

        Raises:
            Interrupted: stopping, and MongoDB has not taken it yet.
        """
        payload, known = _open(document)
        self._put(position, payload, known, reason, row)

    def forget(self, row: bson.ObjectId, key: bytes) -> None:
        """The message of this key is stored, so it is not set aside any more.

        Raises:
            Interrupted: as `put_message`.
        """
        mine = {"_id": row, "message_id": bson.ObjectId(key)}
        self._until_taken(lambda: self._collection.delete_one(mine))

    def put_entry(self, entry_id: str, fields: Mapping[bytes, bytes], reason: str) -> None:
        """Put aside an entry that cannot be read: its fields, as `name=value` lines.

        Raises:
            Interrupted: stopping, and MongoDB has not taken it yet.
        """
        payload = b"\n".join(name + b"=" + value for name, value in fields.items())
        known = {"message_id": None, "channel": None, "received_at": None, "size": len(payload)}
        self._put(first_of(entry_id), payload, known, reason)

    def _put(
        self,
        position: str,
        payload: bytes,
        known: Mapping[str, Any],
        reason: str,
        row: bson.ObjectId | None = None,
    ) -> None:
        by_position = bson.ObjectId(hashlib.blake2b(position.encode(), digest_size=12).digest())
        document = {
            "_id": row or by_position,
            **known,
            "payload": payload[:MAX_CARRIED_BYTES],
            "reason": reason[:_MAX_REASON],
            "position": position,
            "quarantined_at": datetime.datetime.now(datetime.UTC),
        }
        channel = known["channel"]
        about = {"channel": channel, "position": position}
        log.warning("quarantined %s of channel %r: %s", position, channel, document["reason"], extra=about)
        if row is None:
            self._until_taken(lambda: self._collection.insert_one(document))
            return
        # One that was refused later stands above: its `_id` is there, and it is not to be found here.
        earlier = {"_id": row, **renewed_by(position)}
        renewed = {"$set": document | {"acknowledged_at": None}}
        self._until_taken(lambda: self._collection.update_one(earlier, renewed, upsert=True))

    def _until_taken(self, write: Callable[[], object]) -> None:
        """Write, until MongoDB has taken it or says that the very `_id` is there."""
        backoff = Backoff(first=0.1, longest=5.0)
        while True:
            try:
                write()
                return
            except DuplicateKeyError as exc:
                if duplicates.is_stored_before(exc.details or {}):
                    return
                # Where should it go? It waits on the stream until the index is gone.
                log.error("quarantine cannot be written: %s", duplicates.refusal(exc.details or {}))
            except PyMongoError as exc:
                log.warning("quarantine cannot be written: %s", exc)
            rest(backoff.next(random.random()), self._stopping)


def _open(document: bytes) -> tuple[bytes, dict[str, Any]]:
    """The payload of an envelope, and what else is known of it."""
    try:
        envelope = bson.decode(document)
    except Exception:
        log.exception("an envelope of %d bytes cannot be read", len(document))
        envelope = {}
    match envelope:
        case {
            "_id": bson.ObjectId() as key,
            "channel": str(channel),
            "message": str() | bytes() as payload,
            "received_at": datetime.datetime() as at,
        } if len(channel.encode()) <= MAX_NAME_BYTES:
            payload = payload.encode() if isinstance(payload, str) else payload
            size = envelope.get("size", len(payload))
            said = {name: envelope[name] for name in SAID if name in envelope}
            return payload, {"message_id": key, "channel": channel, "received_at": at, "size": size, **said}
    return document, {"message_id": None, "channel": None, "received_at": None, "size": len(document)}
