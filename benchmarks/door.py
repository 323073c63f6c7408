"""(h) `POST /api/v1/channels/NAME/messages`: how many requests are taken, for how much CPU, and how soon.

Beside it, in the same run and under the same load, what a good engineer writes first: FastAPI with one INSERT
of asyncpg for each request (`peers/fastapi_insert.py`). Both look at who asks.
"""

import asyncio
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from benchmarks.contenders import PEERS
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult
from benchmarks.web import Web, length_of, relay_web, serving
from relaystack.ports import free_port

RELAY: Final = "published by HTTP, one by one"
PEER: Final = "FastAPI and asyncpg, one by one"

_CONNECTIONS: Final = 64
_PAYLOAD: Final = b"%0170d" % 0
_CHANNEL: Final = "door"
_LINES: Final = 1000


class _Client(asyncio.Protocol):
    """One connection: sends a request when it is told to, and says how long each answer took."""

    def __init__(self, request: bytes) -> None:
        self._request = request
        self._transport: asyncio.Transport
        self._sent_at = 0.0
        self._answered: asyncio.Future[float] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(self, since: float) -> "asyncio.Future[float]":
        """Seconds since that moment until the answer is there."""
        self._sent_at = since
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(self._request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator or self._answered is None:
            return
        if len(body) < (length := length_of(head)):
            return
        self._buffer = body[length:]
        answered, self._answered = self._answered, None
        if head.startswith(b"HTTP/1.1 202 "):
            answered.set_result(time.perf_counter() - self._sent_at)
        else:
            answered.set_exception(WrongResult(head.decode("latin-1")))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(WrongResult("the connection has ended"))

    def close(self) -> None:
        """In the end."""
        self._transport.close()


def _request(web: Web, body: bytes, content_type: str = "text/plain") -> bytes:
    """As it goes over the wire."""
    head = (
        f"POST /api/v1/channels/{_CHANNEL}/messages HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {web.token}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


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
    with _peer(relay, results) as peer:
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
    server: Web, seconds: float, request: bytes = b"", connections: int = _CONNECTIONS
) -> tuple[float, float]:
    """As fast as it answers: requests for each second, and CPU seconds of the server for each."""
    before, began = server.cpu(), time.perf_counter()
    answered = asyncio.run(_ask_for(server, request or _request(server, _PAYLOAD), connections, seconds))
    return answered / (time.perf_counter() - began), (server.cpu() - before) / max(1, answered)


async def _ask_for(server: Web, request: bytes, connections: int, seconds: float) -> int:
    clients = await _connect(server, request, connections)
    until = time.perf_counter() + seconds

    async def one_after_another(client: _Client) -> int:
        answered = 0
        while (now := time.perf_counter()) < until:
            await client.ask(now)
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
    clients = await _connect(server, _request(server, _PAYLOAD), _CONNECTIONS)
    began = time.perf_counter() + 0.1

    async def its_share(number: int, client: _Client) -> list[float]:
        took = []
        for index in range(number, int(per_second * seconds), _CONNECTIONS):
            due = began + index / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            took.append(await client.ask(due))
        return took

    found = await asyncio.gather(*(its_share(number, client) for number, client in enumerate(clients)))
    for client in clients:
        client.close()
    return [one for share in found for one in share]


async def _connect(server: Web, request: bytes, connections: int) -> list[_Client]:
    loop = asyncio.get_running_loop()
    made = [
        await loop.create_connection(lambda: _Client(request), "127.0.0.1", server.port)
        for _ in range(connections)
    ]
    return [client for _, client in made]


@contextmanager
def _peer(relay: Relay, results: Results) -> Iterator[Web | None]:
    missing = [name for name in ("fastapi", "asyncpg") if importlib.util.find_spec(name) is None]
    if missing:
        results.skip(PEER, f"no {' and '.join(missing)}: benchmarks/peers/requirements.txt")
        yield None
        return
    token = relay.stack.info["token"]
    url = urlsplit(relay.stack.info["database_url"])._replace(query="").geturl()
    environment = {**os.environ, "DATABASE_URL": url, "TOKEN": token}
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", "fastapi_insert:app", "--app-dir", str(PEERS)]
    argv += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    with serving(argv, environment, port, token) as peer:
        yield peer
