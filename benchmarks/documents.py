"""Documents as the writer stores them, made without Relay: for the ceiling, and to fill the history."""

import time
from collections.abc import Iterator
from typing import Any

import bson
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.write_concern import WriteConcern

from benchmarks.load import Load, chunks
from relaycore.envelope import Encoder, place, timestamp
from relaycore.identity import content_key
from relaycore.position import entry_prefix

BATCH = 2000
DURABLE = WriteConcern(w="majority", j=True)


def encoded(load: Load, batch: int = BATCH) -> Iterator[list[bytes]]:
    """BSON documents of a load, batch by batch, each batch with the positions of one entry."""
    names = [name.encode() for name in load.shape.names]
    makers = [(content_key(name), Encoder(name).encode) for name in names]
    milliseconds = int(time.time() * 1000) - 86_400_000  # Yesterday: below every watermark.
    for number, ids in enumerate(chunks(load, batch)):
        received = timestamp(milliseconds + number)
        documents = []
        for id in ids:
            key, encode = makers[id % len(makers)]
            text = load.shape.text(id)
            documents.append(encode(key(text), text, received))
        yield place(documents, entry_prefix(f"{milliseconds + number}-{load.first % 10**9}"))


def decoded(documents: list[bytes]) -> list[dict[str, Any]]:
    """The same as dictionaries, which is what hand-written code would insert."""
    return [bson.decode(document) for document in documents]


def fill(collection: Collection[Any], load: Load) -> None:
    """Store a load without Relay."""
    for documents in encoded(load):
        collection.insert_many([RawBSONDocument(document) for document in documents], ordered=False)
