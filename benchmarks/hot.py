"""(h) `GET /api/v1/messages/ID`, answered before Django and by Django: requests for each second of CPU.

Two web processes that differ in nothing else. They are asked in turn, and what they take counts, not how
long it takes: so the client, which shares the machine, does not matter.
"""

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.documents import DURABLE, fill
from benchmarks.load import Shape, make_load
from benchmarks.progress import say
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult
from benchmarks.web import Web, length_of, relay_web

BY_DJANGO: Final = "a message by its id, by Django"
HOT: Final = "a message by its id, before Django"

_CONNECTIONS: Final = 16
_MESSAGES: Final = 1000


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks a web process, at one address for each message."""

    web: Web
    paths: list[str]

    def ask(self, requests: int, connections: int) -> float:
        """Send so many requests; the CPU seconds that the process took for them."""
        before = self.web.cpu()
        asyncio.run(self._ask(requests, connections))
        return self.web.cpu() - before

    async def _ask(self, requests: int, connections: int) -> None:
        paths = itertools.cycle(self.paths)
        left = iter(range(requests))
        await asyncio.gather(*(self._one_after_another(left, paths) for _ in range(connections)))

    async def _one_after_another(self, left: Iterator[int], paths: Iterator[str]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.web.port)
        more = f"HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {self.web.token}\r\n\r\n"
        for _ in left:
            writer.write(f"GET {next(paths)} {more}".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200 "):
                raise WrongResult(head.decode("latin-1"))
            await reader.readexactly(length_of(head))
        writer.close()
        await writer.wait_closed()


def measure(relay: Relay, results: Results, requests: int, times: int) -> None:
    """So many requests to each, so many times in turn."""
    relay.empty()
    load = make_load(Shape("hot-", 1), _MESSAGES)
    fill(relay.collection.with_options(write_concern=DURABLE), load)
    paths = [f"/api/v1/messages/{found['_id']}" for found in relay.collection.find({}, {"_id": 1})]
    with relay_web(relay, "django") as django, relay_web(relay) as hot:
        readers = {BY_DJANGO: Reader(django, paths), HOT: Reader(hot, paths)}
        for connections in (_CONNECTIONS, 1):
            found: dict[str, list[float]] = {name: [] for name in readers}
            for _ in range(times):
                for name, reader in readers.items():
                    reader.ask(requests // 10, connections)
                    found[name].append(requests / max(reader.ask(requests, connections), 0.01))
            after = "" if connections > 1 else ", one after another"
            for name, rates in found.items():
                results.add(
                    "h", name + after, median(rates), "requests/CPU s", to=BY_DJANGO + after, rates=rates
                )
            say(f"{connections} connections: {found}")
