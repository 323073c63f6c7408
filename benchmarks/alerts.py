"""(l) Alerts: how many one core of a processor aggregates, and how soon a page sees one, and its end.

Beside it, in the same run, what a good engineer writes in an hour (`peers/alerts_consumer.py`): a consumer
with asyncio and Redis that tells of alerts by python-socketio. It stores nothing of what it tells. Of
each place it tells what Relay does: that is compared before anything counts (`hearing`).
"""

import json
import random
import re
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Final

from benchmarks.aggregating import (
    PEER,
    Aggregator,
    Course,
    Peer,
    RelayProcessor,
    TheFunction,
    await_until,
    peer,
)
from benchmarks.crowd import Crowd, Step
from benchmarks.live import has_files, percentile
from benchmarks.load import Load, Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.speed import Speed
from benchmarks.target import WrongResult
from benchmarks.watching import socketio_steps, sse
from benchmarks.web import Web, length_of, relay_web

_RELAY, _FUNCTION = "Relay", "the function alone"
_SOCKETIO, _SSE = "Relay, Socket.IO", "Relay, SSE"
_TOLD: Final = "alerts.events"
_SHAPE: Final = Shape("alerts-", 1)
_SAYS: Final = re.compile(rb'location\\*": ?\\*"(\d{10})\\*"')
_MINUTES: Final = 600
_READ_BYTES: Final = 1 << 14
_AGAIN_SECONDS: Final = 5.0
"""So long a process that has just begun shows pages what was stored before (`live.socketio.everybody`)."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    places:  of how many places alerts are
    alerts:  so many
    times:   how often each
    clients: at once
    probes:  alerts for these, one after another, each time
    settle:  seconds until what went before is over
    """

    places: tuple[int, ...] = (50, 5000)
    alerts: int = 40_000
    times: int = 3
    clients: tuple[int, ...] = (1, 1000)
    probes: int = 60
    settle: float = 1.0


def measure(relay: Relay, results: Results, effort: Effort) -> None:
    """All of it."""
    for places in effort.places:
        _side_by_side(relay, results, Course(places, effort.alerts), effort.times)
    for clients in effort.clients:
        if has_files(clients):
            _how_soon(relay, results, clients, effort)
        else:
            results.skip(f"(l) {clients:,} clients", "so many files may not be open (ulimit -n)")


# --- for each core ---------------------------------------------------------------------------


def _side_by_side(relay: Relay, results: Results, course: Course, times: int) -> None:
    """Each in turn, so many times; once before that does not count."""
    after, stream = f", {course.places:,} places", f"peer-alerts-{course.places}"
    with ExitStack() as cleanup:
        programs: dict[str, Aggregator] = {}
        web = cleanup.enter_context(peer(relay, results, PEER + after, stream))
        if web is not None:
            programs[PEER] = Peer(relay, web, course, stream)
        processor = RelayProcessor(relay, course)
        programs |= {_RELAY: processor, _FUNCTION: TheFunction(processor.inputs)}
        for program in programs.values():
            program.begin()
        found: dict[str, list[Speed]] = {name: [] for name in programs}
        for _ in range(times):
            for name, program in programs.items():
                found[name].append(program.aggregate())
    for name, runs in found.items():
        per_core = median(run.per_core for run in runs)
        results.add(
            "l",
            f"{name}{after}",
            per_core,
            "alerts/s of a core",
            to=f"{PEER}{after}",
            cpu_us=1e6 / per_core,
            runs=[run.per_core for run in runs],
            per_second=[run.per_second for run in runs],
        )
        say(f"{name}{after}: {per_core:,.0f}/s of a core, {1e6 / per_core:.0f} µs each")


# --- how soon --------------------------------------------------------------------------------


class _ByPost:
    """By POST /api/alerts, one request each. Answers are read when the next one is sent, not waited for."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._socket = socket.create_connection(("127.0.0.1", web.port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unanswered = 0

    def publish(self, load: Load, ids: Sequence[int]) -> None:
        self._hear()
        for id in ids:
            said = {"type": "Rockets", "timestamp": datetime.now(UTC).isoformat(), "duration": _MINUTES}
            body = json.dumps({"location": str(id), **said}).encode()
            head = (
                f"POST /api/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self._web.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            )
            self._socket.sendall(head.encode() + body)
            self._unanswered += 1

    def close(self) -> None:
        self._hear()
        self._socket.close()

    def _hear(self) -> None:
        held = b""
        while self._unanswered:
            head, found, rest = held.partition(b"\r\n\r\n")
            if found and len(rest) >= (length := length_of(head + b"\r\n")):
                if not head.startswith(b"HTTP/1.1 200"):
                    raise WrongResult(f"An alert is not taken: {head[:60]!r}")
                held, self._unanswered = rest[length:], self._unanswered - 1
            elif data := self._socket.recv(_READ_BYTES):
                held += data
            else:
                raise WrongResult("Whoever takes alerts has ended the connection.")


def _how_soon(relay: Relay, results: Results, clients: int, effort: Effort) -> None:
    """From POST until each of these clients has the `open` of each alert."""
    after, stream = f", {clients:,} clients" if clients > 1 else ", one client", f"peer-seen-{clients}"
    with ExitStack() as cleanup:
        steps: dict[str, tuple[Web, Sequence[Step]]] = {}
        web = cleanup.enter_context(peer(relay, results, f"{PEER}{after}, seen", stream))
        if web is not None:
            steps[PEER] = web, socketio_steps({"token": web.token}, b'40{"sid"')
        more = {"RELAY_ALERTS": "true", "RELAY_LIVE_CONNECTIONS_PER_TOKEN": "10000"}
        web = cleanup.enter_context(relay_web(relay, **more))
        _lay(relay, web)
        steps[_SOCKETIO] = web, socketio_steps({"token": web.token}, b'40{"sid"')
        steps[_SSE] = web, sse(web.token, _TOLD, False)
        found: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(effort.times):
            for name, (web, how) in steps.items():
                with Crowd(web.port, how, _ByPost(web), _SAYS) as crowd:
                    crowd.come(clients)
                    crowd.wait(effort.settle)
                    crowd.deliver(make_load(_SHAPE, 1), lambda: 0.0)
                    load = make_load(_SHAPE, effort.probes)
                    found[name] += crowd.deliver(load, lambda: random.uniform(0.1, 0.3))
    _report(results, found, after)


def _lay(relay: Relay, web: Web) -> None:
    """The first alert makes the rule; whoever runs it learns of it within a second.

    It is not what the first pages are shown, since it was stored a moment ago and the process has just begun.
    """
    way, load = _ByPost(web), make_load(_SHAPE, 1)
    way.publish(load, load.ids)
    way.close()
    told = {"channel": _TOLD, "message": {"$regex": str(load.first)}}
    await_until(lambda: relay.collection.count_documents(told), "the first alert is told")
    time.sleep(_AGAIN_SECONDS)


def _report(results: Results, found: Mapping[str, list[float]], after: str) -> None:
    for name, took in found.items():
        took.sort()
        for percent in (50, 99):
            what = f"alert posted to seen{after}, p{percent}"
            value = percentile(took, percent)
            results.add("l", f"{name}, {what}", value, "ms", to=f"{PEER}, {what}", of=len(took))
            say(f"{name}, {what}: {value:.1f} ms")
