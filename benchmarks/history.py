"""(g) Reading the history through the API: the newest page, pages far down, and everything."""

import time
from statistics import median, quantiles
from typing import Any

from benchmarks.documents import DURABLE, fill
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult

_PAGE = 100
_WHOLE_PAGE = 1000
_AGAIN = 50


def measure(relay: Relay, results: Results, messages: int) -> None:
    """One channel with so many messages."""
    shape = Shape("history-", 1)
    relay.empty()
    load = make_load(shape, messages)
    fill(relay.collection.with_options(write_concern=DURABLE), load)
    [channel] = shape.names
    bare = "bare find of the newest 100"
    results.add("g", bare, median(_find(relay, channel) for _ in range(_AGAIN)), "ms", to=bare)
    newest = f"/api/v1/messages?channel={channel}&limit={_PAGE}"
    taken = median(_timed(relay, newest)[0] for _ in range(_AGAIN))
    results.add("g", f"newest {_PAGE} of {messages:,}", taken, "ms", to=bare)
    _read_all(relay, results, channel, load.count, bare)


def _read_all(relay: Relay, results: Results, channel: str, messages: int, bare: str) -> None:
    """Page by page to the end."""
    address: str | None = f"/api/v1/messages?channel={channel}&limit={_WHOLE_PAGE}"
    seen, pages, began = set[str](), list[float](), time.perf_counter()
    while address:
        milliseconds, page = _timed(relay, address)
        pages.append(milliseconds)
        seen.update(row["id"] for row in page["results"])
        address = page["next"]
    seconds = time.perf_counter() - began
    if len(seen) != messages:
        raise WrongResult(f"The API showed {len(seen)} of {messages} messages.")
    say(f"{messages:,} messages read through the API in {seconds:.1f} s")
    first, last = median(pages[:10]), median(pages[-11:-1] or pages)
    results.add("g", f"page of {_WHOLE_PAGE:,}, the first ones", first, "ms", to=bare)
    results.add("g", f"page of {_WHOLE_PAGE:,}, the last ones", last, "ms", to=bare)
    results.add("g", f"page of {_WHOLE_PAGE:,} anywhere, p99", quantiles(pages, n=100)[-1], "ms", to=bare)
    results.add("g", f"all {messages:,} read page by page", messages / seconds, "messages/s")


def _find(relay: Relay, channel: str) -> float:
    began = time.perf_counter()
    found = list(relay.collection.find({"channel": channel}).sort("position", -1).limit(_PAGE))
    assert found
    return (time.perf_counter() - began) * 1000


def _timed(relay: Relay, address: str) -> tuple[float, dict[str, Any]]:
    """Milliseconds until the whole answer was there, and what it says."""
    began = time.perf_counter()
    answer = relay.stack.http.get(address)
    milliseconds = (time.perf_counter() - began) * 1000
    if answer.status_code != 200:
        raise WrongResult(answer.text)
    return milliseconds, answer.json()
