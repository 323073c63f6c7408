"""(j) Live: messages sent to many who watch, by server-sent events and by Socket.IO.

Beside it, in the same run and under the same load, what a good engineer writes first: Node.js with its own
http and with npm's socket.io (`peers/live`), Starlette with a queue for each client
(`peers/starlette_sse.py`), python-socketio as it is (`peers/socketio_emit.py`). They hear Redis themselves,
and store nothing.
"""

import random
import resource
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks import latency
from benchmarks.crowd import Crowd
from benchmarks.documents import DURABLE, fill
from benchmarks.load import Load, Shape, make_load
from benchmarks.processes import memory_bytes
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.watching import NODE, NODE_SOCKETIO, PYTHON_SOCKETIO, SHAPE, SOCKETIO, SSE, STARLETTE, Server
from benchmarks.web import Web

_HERD: Final = Shape("herd-", 1)
_WARM_CLIENTS: Final = 20
_SAMPLE_SECONDS: Final = 0.25
_SPARE_FILES: Final = 200
_KIBI: Final = 1 << 10
_MEBI: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    clients:    at once
    deliveries: one message after another, and in one burst: messages times clients
    per_second: of those one after another
    times:      how often each
    probes:     messages for a single client
    herd:       clients who come again at once
    missed:     messages that each of these is owed
    settle:     seconds until what went before is over, which is before each crowd and once it is there
    """

    clients: tuple[int, ...] = (1000, 5000)
    deliveries: int = 100_000
    per_second: float = 10_000.0
    times: int = 3
    probes: int = 200
    herd: int = 1000
    missed: int = 1000
    settle: float = 1.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What came of one crowd. CPU is the server's, in microseconds.

    handshake:   CPU for each client, until it is there
    memory:      bytes more than before, for each client
    cpu:         for each delivery, one message after another
    took:        seconds from PUBLISH, of each delivery
    rate:        deliveries for each second of a burst
    burst_cpu:   for each of these
    crowd_cores: what the clients took meanwhile
    """

    handshake: float
    memory: float
    cpu: float
    took: Sequence[float]
    rate: float
    burst_cpu: float
    crowd_cores: float


def measure(relay: Relay, results: Results, effort: Effort) -> None:
    """All of it."""
    relay.empty()
    with relay.listening(SHAPE):
        for servers in ((NODE, STARLETTE, SSE), (NODE_SOCKETIO, PYTHON_SOCKETIO, SOCKETIO)):
            for clients in effort.clients:
                if _has_files(clients):
                    _side_by_side(relay, results, servers, clients, effort)
                else:
                    results.skip(f"(j) {clients:,} clients", "so many files may not be open (ulimit -n)")
    herd = make_load(_HERD, effort.missed)
    fill(relay.collection.with_options(write_concern=DURABLE), herd)
    for name in (_HERD.names[0], SHAPE.names[0]):
        relay.make_channel(name)
    for server in (STARLETTE, SSE, SOCKETIO):
        _herd(relay, results, server, herd, effort.herd)


def _has_files(clients: int) -> bool:
    """As many as this needs, here and in what is started from here."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = clients + _SPARE_FILES
    if resource.RLIM_INFINITY not in {soft, hard} and hard < needed:
        return False
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return True


def _side_by_side(
    relay: Relay, results: Results, servers: Sequence[Server], clients: int, effort: Effort
) -> None:
    """Each in turn, so many times."""
    with ExitStack() as cleanup:
        running: dict[Server, Web] = {}
        for server in servers:
            web = cleanup.enter_context(server.serve(relay, results, server.shape.names[0]))
            if web is not None:
                running[server] = web
        for server, web in running.items():
            _warm(relay, server, web, effort.deliveries // _WARM_CLIENTS)
        rounds: dict[Server, list[_Round]] = {server: [] for server in running}
        for _ in range(effort.times):
            for server, web in running.items():
                rounds[server].append(_round(relay, server, web, clients, effort))
        for server, found in rounds.items():
            _report(results, servers, server, clients, found)
        if clients == effort.clients[0]:
            for server, web in running.items():
                _seen(relay, results, servers[0], server, web, effort.probes)


def _crowd(relay: Relay, server: Server, web: Web, behind: Shape | None = None) -> Crowd:
    """Nobody yet. `behind`: who comes wants all that is stored of this."""
    shape = behind or server.shape
    redis = urlsplit(relay.stack.info["redis_url"]).port
    assert redis is not None
    return Crowd(web.port, server.steps(web.token, shape.names[0], behind is not None), redis)


def _warm(relay: Relay, server: Server, web: Web, messages: int) -> None:
    with _crowd(relay, server, web) as crowd:
        crowd.come(_WARM_CLIENTS)
        crowd.deliver(make_load(server.shape, messages), lambda: 0.001)


def _round(relay: Relay, server: Server, web: Web, clients: int, effort: Effort) -> _Round:
    messages = max(1, effort.deliveries // clients)
    time.sleep(effort.settle)
    memory, cpu = _memory(web), web.cpu()
    with _crowd(relay, server, web) as crowd:
        crowd.come(clients)
        handshake = (web.cpu() - cpu) / clients
        crowd.wait(effort.settle)
        more = (_memory(web) - memory) / clients
        cpu = web.cpu()
        took = crowd.deliver(make_load(server.shape, messages), lambda: clients / effort.per_second)
        each = (web.cpu() - cpu) / len(took)
        cpu, own, began = web.cpu(), time.process_time(), time.perf_counter()
        burst = max(crowd.deliver(make_load(server.shape, messages), lambda: 0.0))
        cores = (time.process_time() - own) / (time.perf_counter() - began)
        burst_cpu = (web.cpu() - cpu) / messages / clients
    rate = messages * clients / burst
    return _Round(handshake * 1e6, more, each * 1e6, sorted(took), rate, burst_cpu * 1e6, cores)


def _report(
    results: Results, servers: Sequence[Server], server: Server, clients: int, rounds: Sequence[_Round]
) -> None:
    after = f", {clients:,} clients"
    figures = {
        "CPU": ("us/delivery", [one.cpu for one in rounds]),
        "p50": ("ms", [_percentile(one.took, 50) for one in rounds]),
        "p99": ("ms", [_percentile(one.took, 99) for one in rounds]),
        "a burst": ("deliveries/s", [one.rate for one in rounds]),
        "a burst, CPU": ("us/delivery", [one.burst_cpu for one in rounds]),
        "handshake, CPU": ("us/client", [one.handshake for one in rounds]),
        # What is let go is not given back, so the first one shows it.
        "memory": ("KiB/client", [one.memory / _KIBI for one in rounds][:1]),
    }
    for name, (unit, values) in figures.items():
        more = {"crowd_cores": [one.crowd_cores for one in rounds]} if name == "a burst" else {}
        to = f"{servers[0].name}{after}, {name}"
        results.add("j", f"{server.name}{after}, {name}", median(values), unit, to=to, values=values, **more)
        say(f"{server.name}{after}, {name}: {median(values):,.1f} {unit}")
    if server is servers[-1]:
        other, cpu = servers[1].name, f"{after}, CPU"
        value = results.value(f"{server.name}{cpu}") or 0.0
        results.add("j", f"{server.name}, beside {other}{cpu}", value, "us/delivery", to=f"{other}{cpu}")


def _seen(relay: Relay, results: Results, base: Server, server: Server, web: Web, probes: int) -> None:
    """Seconds from each PUBLISH until the message is in the client's hands, on an idle system."""
    with _crowd(relay, server, web) as crowd:
        crowd.come(1)
        crowd.deliver(make_load(server.shape, 1), lambda: 0.0)
        took = sorted(crowd.deliver(make_load(server.shape, probes), lambda: random.uniform(0.1, 0.3)))
    for percent in (50, 99):
        name = f"PUBLISH to seen by a client, p{percent}"
        to = f"{base.name}, {name}" if server is not base else latency.FLOOR
        results.add("j", f"{server.name}, {name}", _percentile(took, percent), "ms", to=to, of=len(took))
        say(f"{server.name}, {name}: {_percentile(took, percent):.1f} ms")


def _herd(relay: Relay, results: Results, server: Server, load: Load, clients: int) -> None:
    """So many come at once, to a process that has just begun, and are each owed all of this."""
    with ExitStack() as cleanup:
        web = cleanup.enter_context(server.serve(relay, results, load.shape.names[0]))
        if web is None:
            return
        with _crowd(relay, server, web) as crowd:
            crowd.come(1)  # To the other channel: the process has learnt what there is.
        memories = [_memory(web)]
        cpu, began, sampled_at = web.cpu(), time.perf_counter(), 0.0

        def sample() -> None:
            nonlocal sampled_at
            if time.perf_counter() > sampled_at + _SAMPLE_SECONDS:
                memories.append(_memory(web))
                sampled_at = time.perf_counter()

        crowd = cleanup.enter_context(_crowd(relay, server, web, load.shape))
        crowd.come_to(load, clients, sample)
        seconds, cpu = time.perf_counter() - began, web.cpu() - cpu
        memories.append(_memory(web))
    name = f"{clients:,} who come again to {load.count:,} messages each"
    figures = {
        "": ("s", seconds),
        ", CPU": ("us/delivery", cpu / clients / load.count * 1e6),
        ", memory": ("MiB more at most", (max(memories) - memories[0]) / _MEBI),
    }
    for which, (unit, value) in figures.items():
        to = f"{STARLETTE.name}, {name}{which}"
        results.add("j", f"{server.name}, {name}{which}", value, unit, to=to)
        say(f"{server.name}, {name}{which}: {value:,.1f} {unit}")


def _memory(web: Web) -> int:
    return memory_bytes({"web": [web.process]})["web"]


def _percentile(ordered: Sequence[float], percent: int) -> float:
    """In milliseconds."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000
