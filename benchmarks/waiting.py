"""(i) Who waits at a pull subscription: how soon he is answered, what he costs and takes from others."""

import asyncio
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks import latency
from benchmarks.connection import Connection, request
from benchmarks.consumers import committing
from benchmarks.load import Shape, make_load
from benchmarks.processes import memory_bytes
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.steady import burst
from benchmarks.target import WrongResult
from benchmarks.web import Web
from tests.acceptance.stack import ROOT

WAIT_SECONDS: Final = 20

_PROBE: Final = Shape("probe-", 1)
_TAIL: Final = Shape("tail-", 1)
_IDLE: Final = "idle"
_MEBI: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    probes:  messages, one after another
    waiters: at once
    seconds: so long nothing comes to them
    burst:   messages, as fast as Redis takes them, with a reader at the tail and without, `pairs` times
    """

    probes: int = 200
    waiters: int = 1000
    seconds: float = 10.0
    burst: int = 200_000
    pairs: int = 3


def measure(relay: Relay, results: Results, ours: Web, effort: Effort) -> None:
    """All of it."""
    with relay.listening(_PROBE):
        relay.subscribe(_PROBE.names[0], "cursor", ["bench-probe"])
        taken = sorted(asyncio.run(_probe(relay, ours, effort.probes)))
        relay.unsubscribe("bench-probe")
    for percent in (50, 99):
        at = min(len(taken) - 1, len(taken) * percent // 100)
        name = f"PUBLISH to fetched by who waits, p{percent}"
        results.add("i", name, taken[at], "ms", to=latency.FLOOR, of=len(taken))
    say(f"long poll: p50 {median(taken):.1f} ms, worst {taken[-1]:.1f} ms of {len(taken)}")
    relay.make_channel(_IDLE)
    names = [f"bench-idle-{number}" for number in range(effort.waiters)]
    relay.subscribe(_IDLE, "lease", names)
    relay.subscribe(_IDLE, "lease", ["bench-idle"])
    _idle(results, ours, effort, "each with a subscription", names)
    _idle(results, ours, effort, "of one subscription", ["bench-idle"] * effort.waiters)
    _beside(relay, results, ours, effort)


async def _probe(relay: Relay, ours: Web, probes: int) -> list[float]:
    """Milliseconds from each PUBLISH until the message is in the client's hands."""
    connection = await Connection.open(ours)
    path = "/api/v1/subscriptions/bench-probe"
    fetch = request(ours, f"{path}/fetch", b'{"max":10,"wait_seconds":%d}' % WAIT_SECONDS)
    taken = []
    for number in range(probes + 1):
        answer = connection.ask(fetch)
        await asyncio.sleep(random.uniform(0.1, 0.3))
        load = make_load(_PROBE, 1)
        began = time.perf_counter()
        relay.redis.publish(_PROBE.names[0], _PROBE.text(load.first))
        body = await answer
        if number:  # The first one makes the web process learn what there is.
            taken.append((time.perf_counter() - began) * 1000)
        if b"%d" % load.first not in body or body.count(b'"received_at":') != 1:
            raise WrongResult(f"Not the one message that was published: {body[:500]!r}")
        [position] = re.findall(rb'"position":"([^"]+)","generation"', body)
        await connection.ask(request(ours, f"{path}/commit", b'{"position":"%s"}' % position))
    connection.close()
    return taken


def _idle(results: Results, ours: Web, effort: Effort, how: str, names: Sequence[str]) -> None:
    """What the process takes for them while nothing comes."""
    cores, bytes_more = asyncio.run(_wait(ours, effort.seconds, names))
    name = f"{len(names):,} who wait, {how}"
    results.add("i", f"{name}, memory", bytes_more / _MEBI, "MiB")
    results.add("i", f"{name}, CPU", cores * 100, "% of a core")
    say(f"{name}: {bytes_more / _MEBI:.1f} MiB, {cores * 100:.1f} % of a core")


async def _wait(ours: Web, seconds: float, names: Sequence[str]) -> tuple[float, int]:
    """Cores and bytes."""
    groups = {"web": [ours.process]}
    before = memory_bytes(groups)["web"]
    wanted = b'{"wait_seconds":%d}' % WAIT_SECONDS
    asked = []
    connections = []
    began = time.monotonic()
    for name in names:
        connection = await Connection.open(ours)
        connections.append(connection)
        asked.append(connection.ask(request(ours, f"/api/v1/subscriptions/{name}/fetch", wanted)))
        await asyncio.sleep(0)
    await asyncio.sleep(min(5.0, seconds))  # What the first answers take is not of waiting.
    left = began + WAIT_SECONDS - 1 - time.monotonic()
    cpu, since = ours.cpu(), time.monotonic()
    await asyncio.sleep(min(seconds, max(0.1, left)))
    cores = (ours.cpu() - cpu) / (time.monotonic() - since)
    more = memory_bytes(groups)["web"] - before
    if any(answer.done() for answer in asked):
        raise WrongResult("Somebody who waited was answered too early.")
    for connection in connections:
        connection.close()
    await asyncio.gather(*asked, return_exceptions=True)
    return cores, more


def _beside(relay: Relay, results: Results, ours: Web, effort: Effort) -> None:
    """How fast a burst is stored, and what it costs, with and without somebody who reads all of it."""
    without, beside = "a burst stored", "a burst stored, read at the tail meanwhile"
    found: dict[str, list[tuple[float, float]]] = {without: [], beside: []}
    with relay.listening(_TAIL):
        for number in range(effort.pairs):
            found[without].append(_burst(relay, effort.burst))
            name = f"bench-tail-{number}"
            relay.subscribe(_TAIL.names[0], "cursor", [name])
            relay.empty()  # Before somebody stands at the tail.
            with _reader(ours, name):
                found[beside].append(_burst(relay, effort.burst))
        relay.unsubscribe("bench-tail-")
    for name, runs in found.items():
        rates, costs = [rate for rate, _ in runs], [cpu for _, cpu in runs]
        results.add("i", name, median(rates), "messages/s", to=without, rates=rates)
        results.add("i", f"{name}, CPU of listener and writer", median(costs), "us/message", rates=costs)
        say(f"{name}: {median(rates):,.0f}/s, {median(costs):.1f} us")


def _burst(relay: Relay, count: int) -> tuple[float, float]:
    """Messages for each second, and CPU of listener and writer for each in microseconds."""
    result = burst(relay, _TAIL, count)
    if result.lost:
        raise WrongResult(f"{result.lost} messages of a burst were lost.")
    own = sum(
        cost for name, cost in result.cpu_us.items() if name.startswith(("listener", "writer", "celery"))
    )
    return result.rate_stored, own


@contextmanager
def _reader(ours: Web, name: str) -> Iterator[None]:
    """Somebody who reads and commits everything, in a process of his own."""
    argv = [sys.executable, "-m", "benchmarks.waiting", str(ours.process.pid), str(ours.port), name]
    process = subprocess.Popen(
        argv, cwd=ROOT, env={**os.environ, "TOKEN": ours.token}, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        process.stdout.readline()
        yield
        if process.poll() is not None:
            raise WrongResult("The reader at the tail has ended.")
    finally:
        process.kill()
        process.communicate()


async def _read_all(ours: Web, name: str) -> None:
    connection = await Connection.open(ours)
    turn = committing(ours, name, 1000)
    print("ready", flush=True)
    while True:
        await turn(connection)


if __name__ == "__main__":
    import psutil

    pid, port, subscription = sys.argv[1:]
    asyncio.run(_read_all(Web(psutil.Process(int(pid)), int(port), os.environ["TOKEN"]), subscription))
