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
from benchmarks.processes import DISTURBING_CORES, Watch, cpu_between, cpu_seconds
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results

PLAIN = "bare insert_many"
TWO = "bare insert_many, two in flight, BSON made before"
_AGAIN = 3
_CHUNK = 40
"""So many batches are made before the clock runs for them."""


def measure(relay: Relay, results: Results, count: int, most_again: int = 10) -> None:
    """Both ways: as one would write it, and with what Relay does as well."""
    collection = relay.collection.with_options(write_concern=DURABLE)
    for name, insert, in_flight in ((PLAIN, _dictionaries, 1), (TWO, _raw, 2)):
        rates, others = list[float](), float("inf")
        # The best of three, and again while something disturbs them: a low ceiling would flatter the ratios.
        while len(rates) < min(_AGAIN, most_again) or (others > DISTURBING_CORES and len(rates) < most_again):
            rate, cores = _rate(relay, collection, count, insert, in_flight)
            rates.append(rate)
            others = min(others, cores)
            say(f"{name}: {rate:,.0f}/s, cores of others {cores:.2f}")
        results.add("a", name, max(rates), "messages/s", to=PLAIN, others_cores=others, rates=rates)


def _rate(
    relay: Relay,
    collection: Collection[Any],
    count: int,
    prepare: Callable[[list[bytes]], list[Any]],
    in_flight: int,
) -> tuple[float, float]:
    """Messages/s, and what others took meanwhile."""
    relay.empty()
    load = make_load(Shape(), count)
    seconds, watch = 0.0, Watch(relay.processes())
    with ThreadPoolExecutor(in_flight) as pool:
        for batches in _chunked(encoded(load)):
            prepared = [prepare(batch) for batch in batches]
            began = time.perf_counter()
            list(pool.map(lambda batch: collection.insert_many(batch, ordered=False), prepared))
            seconds += time.perf_counter() - began
    others = watch.others_cores(cpu_between(watch.before, cpu_seconds(relay.processes())))
    stored, ids = relay.stored_ids(load)
    assert stored == len(ids) == count, f"{count} inserted, {stored} found"
    return count / seconds, others


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
