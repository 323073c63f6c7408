"""Endpoints of tests: servers in the same event loop that answer, or misbehave, by a script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network
from typing import Any

import uvloop

from relaycore.outbound.addresses import Allowed
from relaycore.outbound.urls import read
from relaycore.sending.answers import Answer
from webhooks_app.http.client import Client
from webhooks_app.http.target import Target

HERE = Allowed([ip_network("127.0.0.0/8")])
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
HEAD = [(b"content-type", b"text/plain")]


@dataclass
class Endpoint:
    """What one has seen: connections, and of each request head and body."""

    port: int = 0
    made: int = 0
    open: int = 0
    most_open: int = 0
    requests: list[tuple[bytes, bytes]] = field(default_factory=list)

    def target(
        self, path: str = "/hook", scheme: str = "http", host: str = "127.0.0.1", **more: Any
    ) -> Target:
        return Target(read(f"{scheme}://{host}:{self.port}{path}"), **more)

    async def request(self, reader: asyncio.StreamReader) -> bytes:
        """Read one to its end, and give its body."""
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length: "))
        body = await reader.readexactly(int(size.partition(b" ")[2]))
        self.requests.append((head, body))
        return body


Script = Callable[[Endpoint, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[object]]


async def answer_ok(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """To whatever comes, for as long as something does."""
    while True:
        await endpoint.request(reader)
        writer.write(OK)


def answering(*answers: bytes, then_close: bool = False) -> Script:
    """Each request gets the next one, and all the last one."""

    async def script(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            writer.write(answers[min(len(endpoint.requests), len(answers)) - 1])
            if then_close:
                return

    return script


@asynccontextmanager
async def serving(script: Script, host: str = "127.0.0.1", **more: Any) -> AsyncIterator[Endpoint]:
    endpoint = Endpoint()
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        endpoint.made += 1
        endpoint.open += 1
        endpoint.most_open = max(endpoint.most_open, endpoint.open)
        try:
            await script(endpoint, reader, writer)
        except (OSError, EOFError, RuntimeError, asyncio.CancelledError):
            pass  # The client has gone, or the test is over.
        finally:
            endpoint.open -= 1
            tasks.discard(task)
            writer.close()

    server = await asyncio.start_server(connected, host, 0, **more)
    endpoint.port = server.sockets[0].getsockname()[1]
    try:
        yield endpoint
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        while tasks:
            await asyncio.sleep(0)


@asynccontextmanager
async def sending(networks: Allowed = HERE, **more: Any) -> AsyncIterator[Client]:
    client = Client(networks, **more)
    try:
        yield client
    finally:
        client.close()


def ask(client: Client, target: Target, body: bytes = b"hello", head: Any = HEAD) -> "asyncio.Future[Answer]":
    """Send one. A second answer is an error."""
    answered: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
    client.send(target, head, body, answered.set_result)
    assert not answered.done(), "called back from within `send`"
    return answered


async def until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def run(
    story: Callable[[], Coroutine[Any, Any, None]],
    loop: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop,
) -> None:
    """In uvloop, as senders run. An error that nobody has caught in a callback fails the test."""
    wrong: list[dict[str, Any]] = []

    async def watched() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        await story()
        await asyncio.sleep(0)

    uvloop.run(watched(), loop_factory=loop)
    assert wrong == []
