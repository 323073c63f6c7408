"""(j) Live: messages sent to many who watch, by server-sent events and by Socket.IO.

Beside it, in the same run and under the same load, what a good engineer writes first: Node.js with its own
http and with npm's socket.io (`peers/live`), Starlette with a queue for each client
(`peers/starlette_sse.py`), python-socketio as it is (`peers/socketio_emit.py`). They hear Redis themselves,
and store nothing.
"""

import random
import resource
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks.crowd import ByRedis, Crowd
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
    per_second: of those one after another: a message each time, or several that have come meanwhile
    times:      how often each
    probes:     messages for a single client
    herd:       clients who come again at once
    missed:     messages that each of these is owed
    settle:     seconds until what went before is over, which is before each crowd and once it is there
    """

    clients: tuple[int, ...] = (1000, 5000)
    deliveries: int = 100_000
    per_second: tuple[int, ...] = (10_000, 50_000)
    times: int = 3
    probes: int = 200
    herd: int = 1000
    missed: int = 1000
    settle: float = 1.0


@dataclass(frozen=True, slots=True)
class _Round:
    """What came of one crowd. CPU is the server's, in microseconds.

    handshake: CPU for each client, until it is there
    steady:    messages one after another, by deliveries for each second
    burst:     all of them at once
    """

    handshake: float
    steady: Mapping[int, "_Delivered"]
    burst: "_Delivered"


@dataclass(frozen=True, slots=True)
class _Delivered:
    """Messages, to all of a crowd.

    cpu:         for each delivery
    took:        milliseconds from PUBLISH of half of the deliveries, and of 99 of 100
    rate:        for each second, from the first PUBLISH on
    crowd_cores: what the clients took meanwhile
    """

    cpu: float
    took: tuple[float, float]
    rate: float
    crowd_cores: float


def measure(relay: Relay, results: Results, effort: Effort) -> None:
    """All of it."""
    relay.empty()
    with relay.listening(SHAPE):
        for servers in ((NODE, STARLETTE, SSE), (NODE_SOCKETIO, PYTHON_SOCKETIO, SOCKETIO)):
            for clients in effort.clients:
                if has_files(clients):
                    _side_by_side(relay, results, servers, clients, effort)
                else:
                    results.skip(f"(j) {clients:,} clients", "so many files may not be open (ulimit -n)")
    herd = make_load(_HERD, effort.missed)
    fill(relay.collection.with_options(write_concern=DURABLE), herd)
    for name in (_HERD.names[0], SHAPE.names[0]):
        relay.make_channel(name)
    for server in (STARLETTE, SSE, SOCKETIO):
        _herd(relay, results, server, herd, effort.herd)


def has_files(clients: int) -> bool:
    """Whether as many as this needs may be open, here and in what is started from here."""
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
        # Before anything else: what a process has let go, it may take again unseen.
        memory = {
            server: _memory_each(relay, server, web, clients, effort) for server, web in running.items()
        }
        for server, web in running.items():
            _warm(relay, server, web, effort.deliveries // _WARM_CLIENTS)
        rounds: dict[Server, list[_Round]] = {server: [] for server in running}
        for _ in range(effort.times):
            for server, web in running.items():
                rounds[server].append(_round(relay, server, web, clients, effort))
        for server, found in rounds.items():
            _report(results, servers, server, clients, memory[server], found)
        if clients == effort.clients[0]:
            for server, web in running.items():
                _seen(relay, results, servers[0], server, web, effort.probes)


def _crowd(relay: Relay, server: Server, web: Web, behind: Shape | None = None) -> Crowd:
    """Nobody yet. `behind`: who comes wants all that is stored of this."""
    shape = behind or server.shape
    redis = urlsplit(relay.stack.info["redis_url"]).port
    assert redis is not None
    return Crowd(web.port, server.steps(web.token, shape.names[0], behind is not None), ByRedis(redis))


def _memory_each(relay: Relay, server: Server, web: Web, clients: int, effort: Effort) -> float:
    """Bytes for each client, none of whom has been sent a message."""
    with _crowd(relay, server, web) as crowd:
        crowd.come(1)
        crowd.wait(effort.settle)
        before = _memory(web)
        crowd.come(clients)
        crowd.wait(effort.settle)
        return (_memory(web) - before) / clients


def _warm(relay: Relay, server: Server, web: Web, messages: int) -> None:
    with _crowd(relay, server, web) as crowd:
        crowd.come(_WARM_CLIENTS)
        crowd.deliver(make_load(server.shape, messages), lambda: 0.001)


def _round(relay: Relay, server: Server, web: Web, clients: int, effort: Effort) -> _Round:
    messages = max(1, effort.deliveries // clients)
    time.sleep(effort.settle)
    cpu = web.cpu()
    with _crowd(relay, server, web) as crowd:
        crowd.come(clients)
        handshake = (web.cpu() - cpu) / clients * 1e6
        crowd.wait(effort.settle)
        steady = {
            rate: _deliver(crowd, web, make_load(server.shape, messages), clients / rate)
            for rate in effort.per_second
        }
        return _Round(handshake, steady, _deliver(crowd, web, make_load(server.shape, messages), 0.0))


def _deliver(crowd: Crowd, web: Web, load: Load, pause: float) -> _Delivered:
    cpu, own, began = web.cpu(), time.process_time(), time.perf_counter()
    took = crowd.deliver(load, lambda: pause)
    seconds = time.perf_counter() - began
    cores = (time.process_time() - own) / seconds
    took.sort()
    times = percentile(took, 50), percentile(took, 99)
    return _Delivered((web.cpu() - cpu) / len(took) * 1e6, times, len(took) / seconds, cores)


def _report(
    results: Results,
    servers: Sequence[Server],
    server: Server,
    clients: int,
    memory: float,
    rounds: Sequence[_Round],
) -> None:
    after = f", {clients:,} clients"
    figures: dict[str, tuple[str, list[float]]] = {}
    for rate in rounds[0].steady:
        found = [one.steady[rate] for one in rounds]
        figures[f"CPU at {rate:,}/s"] = "us/delivery", [one.cpu for one in found]
        figures[f"p50 at {rate:,}/s"] = "ms", [one.took[0] for one in found]
        figures[f"p99 at {rate:,}/s"] = "ms", [one.took[1] for one in found]
    bursts = [one.burst for one in rounds]
    figures |= {
        "a burst": ("deliveries/s", [one.rate for one in bursts]),
        "CPU of a burst": ("us/delivery", [one.cpu for one in bursts]),
        "CPU of the handshake": ("us/client", [one.handshake for one in rounds]),
        "memory": ("KiB/client", [memory / _KIBI]),
    }
    for name, (unit, values) in figures.items():
        more = {"crowd_cores": [one.crowd_cores for one in bursts]} if name == "a burst" else {}
        to = f"{servers[0].name}{after}, {name}"
        results.add("j", f"{server.name}{after}, {name}", median(values), unit, to=to, values=values, **more)
        say(f"{server.name}{after}, {name}: {median(values):,.1f} {unit}")
    if server is servers[-1] and results.value(f"{servers[1].name}{after}, memory") is not None:
        _beside(results, servers[1], server, after, [name for name in figures if name.startswith("CPU")])


def _beside(results: Results, other: Server, server: Server, after: str, names: Sequence[str]) -> None:
    """The same figures once more, beside another peer."""
    for name in names:
        value, of = results.value(f"{server.name}{after}, {name}") or 0.0, f"{after}, {name}"
        unit = "us/client" if name.endswith("handshake") else "us/delivery"
        results.add("j", f"{server.name}, beside {other.name}{of}", value, unit, to=f"{other.name}{of}")


def _seen(relay: Relay, results: Results, base: Server, server: Server, web: Web, probes: int) -> None:
    """The time from each PUBLISH until the message is in the client's hands, on an idle system."""
    with _crowd(relay, server, web) as crowd:
        crowd.come(1)
        crowd.deliver(make_load(server.shape, 1), lambda: 0.0)
        took = sorted(crowd.deliver(make_load(server.shape, probes), lambda: random.uniform(0.1, 0.3)))
    for percent in (50, 99):
        name = f"PUBLISH to seen by a client, p{percent}"
        to = f"{base.name}, {name}"
        results.add("j", f"{server.name}, {name}", percentile(took, percent), "ms", to=to, of=len(took))
        say(f"{server.name}, {name}: {percentile(took, percent):.1f} ms")


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


def percentile(ordered: Sequence[float], percent: int) -> float:
    """In milliseconds, of seconds."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)] * 1000
