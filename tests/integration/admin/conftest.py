"""What the tests of the admin's pages share."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from relaybase import keys
from relaybase.connections import mongo_collection
from relaycore import envelope
from relaycore.identity import content_key
from relaycore.position import first_of

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

Store = Callable[..., list[str]]


@pytest.fixture
def store(archive: Any, relay_keys: Any) -> Store:
    """Stores messages of a channel, a second apart from `START` on; their ids."""
    import bson

    def put(channel: str, *payloads: str | bytes) -> list[str]:
        key = content_key(channel.encode())
        documents = []
        for n, payload in enumerate(payloads):
            at = START + timedelta(seconds=n)
            milliseconds = int(at.timestamp() * 1000)
            data = payload.encode() if isinstance(payload, str) else payload
            documents.append(
                {
                    "_id": bson.ObjectId(key(data)),
                    "channel": channel,
                    "message": payload,
                    "received_at": at,
                    "position": first_of(f"{milliseconds}-0"),
                }
            )
        archive.insert_many(documents)
        relay_keys.hset(keys.last_at(0), channel, milliseconds)
        return [str(document["_id"]) for document in documents]

    return put


@pytest.fixture
def quarantine(messages_database: str, relay_keys: Any) -> Iterator[Callable[..., str]]:
    """Puts a message into quarantine, as the writer does; its id."""
    from messages_app.writing.quarantine import Quarantine

    collection = mongo_collection("quarantine")
    collection.delete_many({})

    def put(channel: str, payload: bytes, reason: str = "MongoDB refuses it.", number: int = 1) -> str:
        carried = envelope.Encoder(channel.encode()).encode(
            content_key(channel.encode())(payload), payload, envelope.timestamp(1_795_262_400_000)
        )
        position = first_of(f"1795262400000-{number}")
        Quarantine(collection, lambda: False).put_message(carried, position, reason)
        (document,) = collection.find({"position": position})
        return str(document["_id"])

    yield put
    collection.delete_many({})
