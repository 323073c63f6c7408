"""Many endpoints in one thread, each of a manner of its own, and what has come to them."""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from standardwebhooks import Webhook


@dataclass(frozen=True, slots=True, eq=False)
class Came:
    """A request. `at`: monotonic seconds; `headers`: names in small letters.

    has_left: whether whoever sent it has closed the connection since
    """

    headers: dict[str, str]
    body: bytes
    at: float
    has_left: Callable[[], bool]

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def text(self) -> str:
        return self.body.decode()


Manner = Callable[["Place", Came, asyncio.StreamWriter], Awaitable[bool]]
"""Answers a request; whether the connection is kept."""


async def takes(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
    """204."""
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    return True


def answers(status: int, *headers: str) -> Manner:
    """Always this."""
    head = "".join(f"{line}\r\n" for line in (f"HTTP/1.1 {status} X", *headers, "Content-Length: 0"))

    async def answer(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
        writer.write(f"{head}\r\n".encode())
        return True

    return answer


def decides(status: Callable[[Came, "Place"], int]) -> Manner:
    """What this says of each, by what has come by then, itself included."""

    async def answer(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
        return await answers(status(came, place))(place, came, writer)

    return answer


def waits(until: threading.Event) -> Manner:
    """Takes it then."""

    async def answer(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
        while not until.is_set():
            await asyncio.sleep(0.01)
        return await takes(place, came, writer)

    return answer


async def hangs(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
    """No answer, for ever."""
    await asyncio.sleep(3600)
    return False


async def drips(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
    """A byte of a head now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.1)


async def pours(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
    """A body that has no end."""
    writer.write(b"HTTP/1.1 500 X\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


async def resets(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
    """RST."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    return False


def flaps(seconds: float) -> Manner:
    """Takes, and refuses, for so long in turn."""
    refuses = answers(503)

    async def answer(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
        is_away = int(came.at / seconds) % 2
        return await (refuses if is_away else takes)(place, came, writer)

    return answer


def slowly(seconds: float) -> Manner:
    """Takes it after so long, and has it only then: who hangs up meanwhile has sent nothing."""

    async def answer(place: "Place", came: Came, writer: asyncio.StreamWriter) -> bool:
        place.came.remove(came)
        await asyncio.sleep(seconds)
        if came.has_left():
            return False
        place.came.append(came)
        return await takes(place, came, writer)

    return answer


@dataclass(slots=True)
class Place:
    """One endpoint of `Endpoints`. `manner` may be another one at any time."""

    url: str
    manner: Manner = takes
    came: list[Came] = field(default_factory=list)
    connections: int = 0

    @property
    def said(self) -> list[str]:
        """What has come, in turn, each as often as it came."""
        return [one.text for one in list(self.came)]

    @property
    def texts(self) -> set[str]:
        """What has come, at least once."""
        return set(self.said)

    @property
    def repeated(self) -> int:
        """So many requests had come before."""
        came = list(self.came)
        return len(came) - len({one.id for one in came})

    def wrong(self, secrets: Iterable[str]) -> list[str]:
        """What is wrong with what has come: another body under the same id, a signature that is none."""
        bodies: dict[str, bytes] = {}
        found = []
        for one in list(self.came):
            if bodies.setdefault(one.id, one.body) != one.body:
                found.append(f"{one.id} has two bodies")
            if not is_signed(one, secrets):
                found.append(f"{one.id} is not signed")
        if more := [text for text, count in Counter(bodies.values()).items() if count > 1]:
            found.append(f"{more[:3]} came under two ids")
        return found


def is_signed(came: Came, secrets: Iterable[str]) -> bool:
    """By one of these, as the public library sees it."""
    at = int(came.headers["webhook-timestamp"])
    for secret in secrets:
        signed = Webhook(secret).sign(came.id, datetime.fromtimestamp(at, UTC), came.text)
        if signed in came.headers["webhook-signature"].split():
            return True
    return False


class Endpoints:
    """A context manager: a server in a thread. `tls`: what it says TLS with, if it does."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._places: dict[str, Place] = {}
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="endpoints")
        self.port = 0

    def place(self, manner: Manner = takes) -> Place:
        """A new one."""
        scheme = "https" if self._tls else "http"
        path = f"/{len(self._places)}"
        made = self._places[path] = Place(f"{scheme}://127.0.0.1:{self.port}{path}", manner)
        return made

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls, backlog=1024)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await self._talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # It has gone, or the test is over.
        finally:
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_new = True
        while True:
            line, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value for name, _, value in (one.partition(": ") for one in lines if one)
            }
            body = await reader.readexactly(int(headers["content-length"]))
            place = self._places[line.split()[1]]
            place.connections += is_new
            is_new = False
            came = Came(headers, body, time.monotonic(), reader.at_eof)
            place.came.append(came)
            if not await place.manner(place, came, writer):
                return
            with contextlib.suppress(OSError):
                await writer.drain()
