"""What cannot be stored is kept aside, with the reason: nothing is dropped silently."""

import datetime
import hashlib
import logging
import random
import threading
from collections.abc import Callable, Mapping
from typing import Any

import bson
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError, PyMongoError

from messages_app.writing.store import Interrupted
from relaycore.backoff import Backoff
from relaycore.envelope import MAX_CARRIED_BYTES
from relaycore.position import first_of

log = logging.getLogger(__name__)

_MAX_REASON = 1000


class Quarantine:
    """Puts messages and entries aside. Twice the same is once: the id comes from the position."""

    def __init__(self, collection: Collection[Any], stopping: Callable[[], bool]) -> None:
        self._collection = collection
        self._stopping = stopping
        self._resting = threading.Event()

    def put_message(self, document: bytes, position: str, reason: str) -> None:
        """Put aside one message, given its envelope. A broken envelope is kept as it is.

        Raises:
            Interrupted: stopping, and MongoDB has not taken it yet.
        """
        try:
            envelope = bson.decode(document)
            payload = envelope["message"]
            payload = payload.encode() if isinstance(payload, str) else bytes(payload)
            known = {
                "channel": str(envelope["channel"]),
                "received_at": envelope["received_at"],
                "size": int(envelope.get("size", len(payload))),
            }
        except Exception:  # Whatever is wrong with it, its bytes are what there is to keep.
            payload, known = document, {"channel": None, "received_at": None, "size": len(document)}
        self._put(position, payload, known, reason)

    def put_entry(self, entry_id: str, fields: Mapping[bytes, bytes], reason: str) -> None:
        """Put aside an entry that cannot be read: its fields, as `name=value` lines.

        Raises:
            Interrupted: stopping, and MongoDB has not taken it yet.
        """
        payload = b"\n".join(name + b"=" + value for name, value in fields.items())
        known = {"channel": None, "received_at": None, "size": len(payload)}
        self._put(first_of(entry_id), payload, known, reason)

    def _put(self, position: str, payload: bytes, known: Mapping[str, Any], reason: str) -> None:
        document = {
            "_id": bson.ObjectId(hashlib.blake2b(position.encode(), digest_size=12).digest()),
            **known,
            "payload": payload[:MAX_CARRIED_BYTES],
            "reason": reason[:_MAX_REASON],
            "position": position,
            "quarantined_at": datetime.datetime.now(datetime.UTC),
        }
        log.warning("quarantined %s of channel %r: %s", position, known["channel"], document["reason"])
        backoff = Backoff(first=0.1, longest=5.0)
        while True:
            try:
                self._collection.insert_one(document)
                return
            except DuplicateKeyError:
                return
            except PyMongoError as exc:
                log.warning("quarantine cannot be written: %s", exc)
            if self._stopping():
                raise Interrupted
            self._resting.wait(backoff.next(random.random()))
