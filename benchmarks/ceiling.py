"""(a) The ceiling: how fast a bare `insert_many` stores the same documents, with nothing before it.

The same documents, indexes and write concern as Relay's. Only the time inside `insert_many` counts, not that
for making the documents.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection

from benchmarks.documents import DURABLE, decoded, encoded
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results

PLAIN = "bare insert_many"
TWO = "bare insert_many, two in flight, BSON made before"
_AGAIN = 3
_CHUNK = 40
"""So many batches are made before the clock runs for them."""


def measure(relay: Relay, results: Results, count: int) -> None:
    """Both ways: as one would write it, and with what Relay does as well."""
    collection = relay.collection.with_options(write_concern=DURABLE)
    for name, insert, in_flight in ((PLAIN, _dictionaries, 1), (TWO, _raw, 2)):
        # The best of three: what disturbs one of them must not flatter the ratios.
        rate = max(_rate(relay, collection, count, insert, in_flight) for _ in range(_AGAIN))
        say(f"{name}: {rate:,.0f}/s")
        results.add("a", name, rate, "messages/s", to=PLAIN)


def _rate(
    relay: Relay,
    collection: Collection[Any],
    count: int,
    prepare: Callable[[list[bytes]], list[Any]],
    in_flight: int,
) -> float:
    relay.empty()
    load = make_load(Shape(), count)
    seconds = 0.0
    with ThreadPoolExecutor(in_flight) as pool:
        for batches in _chunked(encoded(load)):
            prepared = [prepare(batch) for batch in batches]
            began = time.perf_counter()
            list(pool.map(lambda batch: collection.insert_many(batch, ordered=False), prepared))
            seconds += time.perf_counter() - began
    stored, ids = relay.stored_ids(load)
    assert stored == len(ids) == count, f"{count} inserted, {stored} found"
    return count / seconds


def _dictionaries(documents: list[bytes]) -> list[Any]:
    return decoded(documents)


def _raw(documents: list[bytes]) -> list[Any]:
    return [RawBSONDocument(document) for document in documents]


def _chunked(batches: Iterator[list[bytes]]) -> Iterator[list[list[bytes]]]:
    chunk = []
    for batch in batches:
        chunk.append(batch)
        if len(chunk) == _CHUNK:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
