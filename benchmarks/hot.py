"""(h) `GET /api/v1/messages/ID`, answered before Django and by Django: requests for each second of CPU.

Two web processes that differ in nothing else. They are asked in turn, and what they take counts, not how
long it takes: so the client, which shares the machine, does not matter.
"""

import asyncio
import itertools
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import Final

import psutil

from benchmarks.documents import DURABLE, fill
from benchmarks.load import Shape, make_load
from benchmarks.processes import cpu_seconds, end, family
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult
from tests.acceptance.stack import ROOT

BY_DJANGO: Final = "a message by its id, by Django"
HOT: Final = "a message by its id, before Django"

_CONNECTIONS: Final = 16
_MESSAGES: Final = 1000
_BEGINNING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Web:
    """A web process, and one address for each message."""

    process: psutil.Process
    port: int
    paths: list[str]
    token: str

    def ask(self, requests: int, connections: int) -> float:
        """Send so many requests; the CPU seconds that the process took for them."""
        groups = {"web": family(self.process.pid)}
        before = cpu_seconds(groups)["web"]
        asyncio.run(self._ask(requests, connections))
        return cpu_seconds(groups)["web"] - before

    async def _ask(self, requests: int, connections: int) -> None:
        paths = itertools.cycle(self.paths)
        left = iter(range(requests))
        await asyncio.gather(*(self._one_after_another(left, paths) for _ in range(connections)))

    async def _one_after_another(self, left: Iterator[int], paths: Iterator[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        more = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n\r\n"
        for _ in left:
            writer.write(f"GET {next(paths)} {more}".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise WrongResult(head.decode("latin-1"))
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
            await reader.readexactly(length)
        writer.close()
        await writer.wait_closed()


def measure(relay: Relay, results: Results, requests: int, times: int) -> None:
    """So many requests to each, so many times in turn."""
    relay.empty()
    load = make_load(Shape("hot-", 1), _MESSAGES)
    fill(relay.collection.with_options(write_concern=DURABLE), load)
    paths = [f"/api/v1/messages/{found['_id']}" for found in relay.collection.find({}, {"_id": 1})]
    with _web(relay, "django", paths) as django, _web(relay, "application", paths) as hot:
        for connections in (_CONNECTIONS, 1):
            found: dict[str, list[float]] = {BY_DJANGO: [], HOT: []}
            for _ in range(times):
                for name, web in ((BY_DJANGO, django), (HOT, hot)):
                    web.ask(requests // 10, connections)
                    found[name].append(requests / max(web.ask(requests, connections), 0.01))
            after = "" if connections > 1 else ", one after another"
            for name, rates in found.items():
                results.add(
                    "h", name + after, median(rates), "requests/CPU s", to=BY_DJANGO + after, rates=rates
                )
            say(f"{connections} connections: {found}")


@contextmanager
def _web(relay: Relay, application: str, paths: list[str]) -> Iterator[Web]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", f"relayproject.asgi:{application}", "--port", str(port)]
        + ["--no-access-log", "--log-level", "warning"],
        cwd=ROOT,
        # Neither has a limit: hot endpoints have none by default.
        env={**relay.stack.environment, "RELAY_WEB_REQUESTS_PER_MINUTE": "0"},
    )
    web = Web(psutil.Process(process.pid), port, paths, relay.stack.info["token"])
    try:
        _await(web)
        yield web
    finally:
        end([web.process])


def _await(web: Web) -> None:
    deadline = time.monotonic() + _BEGINNING_SECONDS
    while True:
        try:
            web.ask(1, 1)
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
