"""(c) From PUBLISH to stored, to visible in the API, and to printed by `messages tail`."""

import random
import time
from collections.abc import Callable

import bson

from benchmarks import trial
from benchmarks.documents import DURABLE
from benchmarks.load import Load, Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult
from relaycore.identity import content_key
from tests.acceptance.tail import Tail

FLOOR = "bare insert_one, p50"
_LIMIT_SECONDS = 10.0
_LOOK_SECONDS = 0.0005
"""Between two looks: what is measured is too long by half of it and the time of a look."""


def measure(relay: Relay, results: Results, probes: int, rate: float = 1000.0) -> None:
    """`probes` messages, one after another: beside a steady load, and on an idle system."""
    probe, busy = Shape("probe-", 1), Shape("busy-", 9)
    relay.empty()
    _report(results, "bare insert_one", _floor(relay, max(5, probes // 5)))
    with relay.listening(probe, busy):
        seconds = probes * 0.05 + 5
        with trial.publishing(relay, make_load(busy, int(rate * seconds), rate)):
            time.sleep(1)
            stored = _probe(relay, probe, probes, lambda: random.uniform(0, 0.02), _is_stored)
        _report(results, f"PUBLISH to stored at {rate:,.0f}/s", stored)
        alone_probes = max(5, probes // 5)
        alone = _probe(relay, probe, alone_probes, lambda: random.uniform(0.1, 0.3), _is_stored)
        _report(results, "PUBLISH to stored, a single message", alone)
        _probe(relay, probe, 1, lambda: 0.0, _is_visible)  # The web server's first answer is slower.
        shown = _probe(relay, probe, alone_probes, lambda: random.uniform(0.1, 0.3), _is_visible)
        _report(results, "PUBLISH to visible in the API, a single message", shown)
        with Tail(relay.stack, probe.names[0]) as tail:
            tail.wait_for(lambda text: relay.redis.publish(probe.names[0], text))
            printed = _probe(
                relay,
                probe,
                alone_probes,
                lambda: random.uniform(0.1, 0.3),
                lambda _, load: tail.shows(load.shape.text(load.first).decode()),
            )
        _report(results, "PUBLISH to printed by messages tail, a single message", printed)


def _report(results: Results, name: str, milliseconds: list[float]) -> None:
    ordered = sorted(milliseconds)
    say(f"{name}: p50 {ordered[len(ordered) // 2]:.1f} ms, worst {ordered[-1]:.1f} ms of {len(ordered)}")
    for percent in (50, 99):
        at = min(len(ordered) - 1, len(ordered) * percent // 100)
        results.add("c", f"{name}, p{percent}", ordered[at], "ms", to=FLOOR, of=len(ordered))


def _floor(relay: Relay, count: int) -> list[float]:
    """A client that inserts one document durably, with nothing between."""
    collection = relay.collection.with_options(write_concern=DURABLE)
    taken = []
    for _ in range(count):
        time.sleep(random.uniform(0.02, 0.05))
        began = time.perf_counter()
        collection.insert_one({"channel": "floor", "message": "x" * 170, "position": "0"})
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _probe(
    relay: Relay, shape: Shape, count: int, pause: Callable[[], float], arrived: Callable[[Relay, Load], bool]
) -> list[float]:
    """Milliseconds of each."""
    taken = []
    for _ in range(count):
        load = make_load(shape, 1)
        time.sleep(pause())
        began = time.perf_counter()
        heard = relay.redis.publish(shape.names[0], shape.text(load.first))
        while heard == 0 or not arrived(relay, load):
            if heard == 0 or time.perf_counter() - began > _LIMIT_SECONDS:
                raise WrongResult("A single message did not arrive.")
            time.sleep(_LOOK_SECONDS)
        taken.append((time.perf_counter() - began) * 1000)
    return taken


def _is_stored(relay: Relay, load: Load) -> bool:
    key = content_key(load.shape.names[0].encode())(load.shape.text(load.first))
    return relay.collection.find_one(bson.ObjectId(key), {"_id": 1}) is not None


def _is_visible(relay: Relay, load: Load) -> bool:
    answer = relay.stack.http.get(f"/api/v1/messages?channel={load.shape.names[0]}&limit=1")
    rows = answer.json()["results"]
    return bool(rows) and rows[0]["message"].encode() == load.shape.text(load.first)
