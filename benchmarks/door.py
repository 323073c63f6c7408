"""(h) `POST /api/v1/channels/NAME/messages`: how many requests are taken, for how much CPU, and how soon.

Beside it, in the same run and under the same load, what a good engineer writes first: FastAPI with one INSERT
of asyncpg for each request (`peers/fastapi_insert.py`). Both look at who asks.
"""

import asyncio
import time
from collections.abc import Sequence
from statistics import median
from typing import Final

from benchmarks.connection import Connection, request
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.web import Web, peer_web, relay_web

RELAY: Final = "published by HTTP, one by one"
PEER: Final = "FastAPI and asyncpg, one by one"

_CONNECTIONS: Final = 64
_PAYLOAD: Final = b"%0170d" % 0
_CHANNEL: Final = "door"
_LINES: Final = 1000


def _request(web: Web, body: bytes, content_type: str = "text/plain") -> bytes:
    return request(web, f"/api/v1/channels/{_CHANNEL}/messages", body, content_type)


def measure(relay: Relay, results: Results, seconds: float, times: int) -> None:
    """Each server so many times in turn, for so many seconds."""
    relay.empty()
    relay.make_channel(_CHANNEL)
    with relay_web(relay) as ours:
        _measure_both(relay, ours, results, seconds, times)
        relay.redis.config_set("appendfsync", "always")
        rates = [_closed(ours, seconds)[0] for _ in range(times)]
        name = "published by HTTP, appendfsync always"
        results.add("h", name, median(rates), "requests/s", to=f"{PEER}, requests/s", rates=rates)
        relay.redis.config_set("appendfsync", "everysec")
        p99 = [_at_rate(ours, 5000.0, seconds) for _ in range(times)]
        results.add("h", "published by HTTP at 5,000/s, p99", median(p99) * 1000, "ms", rates=p99)
        lines = _request(ours, b'{"message": "%s"}\n' % _PAYLOAD * _LINES, "application/x-ndjson")
        rates = [_closed(ours, seconds, lines, connections=4)[0] * _LINES for _ in range(times)]
        results.add("h", "published by HTTP, 1,000 lines a request", median(rates), "messages/s", rates=rates)


def _measure_both(relay: Relay, ours: Web, results: Results, seconds: float, times: int) -> None:
    servers = {RELAY: ours}
    with peer_web(relay, results, PEER, "fastapi_insert") as peer:
        if peer is not None:
            servers = {PEER: peer, RELAY: ours}
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in servers}
        for _ in range(times):
            for name, server in servers.items():
                _closed(server, seconds / 5)
                found[name].append(_closed(server, seconds))
        for name, measured in found.items():
            rates, costs = [rate for rate, _ in measured], [cost * 1e6 for _, cost in measured]
            results.add(
                "h", f"{name}, requests/s", median(rates), "requests/s", to=f"{PEER}, requests/s", rates=rates
            )
            results.add("h", f"{name}, CPU", median(costs), "us/request", to=f"{PEER}, CPU", rates=costs)
        say(f"{found}")


def _closed(
    server: Web, seconds: float, asked: bytes = b"", connections: int = _CONNECTIONS
) -> tuple[float, float]:
    """As fast as it answers: requests for each second, and CPU seconds of the server for each."""
    before, began = server.cpu(), time.perf_counter()
    answered = asyncio.run(_ask_for(server, asked or _request(server, _PAYLOAD), connections, seconds))
    return answered / (time.perf_counter() - began), (server.cpu() - before) / max(1, answered)


async def _ask_for(server: Web, asked: bytes, connections: int, seconds: float) -> int:
    clients = [await Connection.open(server) for _ in range(connections)]
    until = time.perf_counter() + seconds

    async def one_after_another(client: Connection) -> int:
        answered = 0
        while time.perf_counter() < until:
            await client.ask(asked)
            answered += 1
        return answered

    counts = await asyncio.gather(*map(one_after_another, clients))
    for client in clients:
        client.close()
    return sum(counts)


def _at_rate(server: Web, per_second: float, seconds: float) -> float:
    """So many requests a second, whatever becomes of them: what 99 of 100 took, from when they were due."""
    took = sorted(asyncio.run(_ask_at(server, per_second, seconds)))
    return took[int(len(took) * 0.99)]


async def _ask_at(server: Web, per_second: float, seconds: float) -> Sequence[float]:
    clients = [await Connection.open(server) for _ in range(_CONNECTIONS)]
    asked = _request(server, _PAYLOAD)
    began = time.perf_counter() + 0.1

    async def its_share(number: int, client: Connection) -> list[float]:
        took = []
        for index in range(number, int(per_second * seconds), _CONNECTIONS):
            due = began + index / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            await client.ask(asked)
            took.append(time.perf_counter() - due)
        return took

    found = await asyncio.gather(*(its_share(number, client) for number, client in enumerate(clients)))
    for client in clients:
        client.close()
    return [one for share in found for one in share]
