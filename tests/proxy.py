"""A TCP proxy that misbehaves on request: the network between a client and a real server.

    with Proxy.to("redis://127.0.0.1:6379/0") as proxy:
        client = connect(proxy.url)
        with proxy.hole(opening=b"relay-listener"):
            ...                                     # nothing passes, and nobody is told

With `encrypted` clients speak TLS to the proxy (`rediss://`) and it speaks plainly to the server, so
that it still sees what passes. Records have at most 16 KiB, as those of every server.

Every fault is a context. Leaving it ends the fault, and fails unless the fault has happened:
a fault that did not happen proves nothing. What it did can be read from it meanwhile.

The proxy runs in a thread of its own. Its methods may be called from any other thread, and
have taken effect when they return. `opening` chooses connections by what their client said
first (a name, a user, a database); empty means all of them.
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from tests import tls

T = TypeVar("T")

_CHUNK_BYTES = 1 << 16
_OPENING_BYTES = 1 << 10
_LOOK_SECONDS = 0.005
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


@dataclass(eq=False)
class Link:
    """A client's connection and the one to the server behind it."""

    writers: list[asyncio.StreamWriter]
    opening: bytes = b""
    is_reset: bool = False

    def reset(self) -> None:
        """End both ends with RST, as a firewall or a crash does, and not with FIN."""
        self.is_reset = True
        for writer in self.writers:
            # A TLS transport that has ended knows no socket any more: AttributeError.
            with contextlib.suppress(OSError, AttributeError):
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            writer.transport.abort()


@dataclass(eq=False)
class Hole:
    """Bytes go in and do not come out; no end of connection passes either."""

    opening: bytes
    up: bool
    down: bool
    only: frozenset[Link] | None
    held: int = 0
    """Pieces that had to wait, bytes or ends of connections."""

    def covers(self, link: Link, up: bool) -> bool:
        return (
            (self.up if up else self.down)
            and self.opening in link.opening
            and (self.only is None or link in self.only)
        )


@dataclass(eq=False)
class Cut:
    """Replies that the server gave and the client never gets: the connection ends instead."""

    times: int
    like: re.Pattern[bytes]
    every: int
    done: int = 0
    seen: int = 0

    def strikes(self, reply: bytes) -> bool:
        if self.done >= self.times or not self.like.search(reply):
            return False
        self.seen += 1
        if (self.seen - 1) % self.every:
            return False
        self.done += 1
        return True


@dataclass(eq=False)
class Refusal:
    """Who connects is reset at once."""

    refused: int = 0


@dataclass(eq=False)
class Delay:
    """Every piece of at most 64 KiB comes `seconds` later than the one before it allows."""

    seconds: float
    delayed: int = 0


@dataclass(eq=False)
class _Faults:
    holes: list[Hole] = field(default_factory=list)
    cuts: list[Cut] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    delays: list[Delay] = field(default_factory=list)


class Proxy:
    """Passes bytes between its own `port` on the loopback address and the server at `host`, `port`.

    accepted: connections so far, with those that were refused
    """

    def __init__(self, host: str, port: int, url: str = "", *, encrypted: bool = False) -> None:
        self._server = (host, port)
        self._tls = tls.as_localhost() if encrypted else None
        self._server_url = url
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._faults = _Faults()
        self._started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="proxy")
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self.port = 0
        self.accepted = 0

    @classmethod
    def to(cls, url: str, *, encrypted: bool = False) -> Self:
        """A proxy for the server that a URL names."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        return cls(parts.hostname, parts.port, url, encrypted=encrypted)

    @property
    def url(self) -> str:
        """The server's URL, through the proxy. With TLS it says whom to trust."""
        parts = urlsplit(self._server_url)
        user = parts.netloc.rpartition("@")[0]
        place = f"127.0.0.1:{self.port}"
        parts = parts._replace(netloc=f"{user}@{place}" if user else place)
        if self._tls:
            trust = f"ssl_ca_certs={tls.AUTHORITY}"
            parts = parts._replace(
                scheme=f"{parts.scheme}s", query=f"{parts.query}&{trust}" if parts.query else trust
            )
        return parts.geturl()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._started.wait(10), "the proxy does not start"
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive(), "the proxy does not stop"

    def lead_to(self, url: str) -> None:
        """Whoever connects from now on comes to this server; those that are there stay with theirs."""
        parts = urlsplit(url)
        self._in_loop(lambda: setattr(self, "_server", (parts.hostname, parts.port)))

    # --- faults ----------------------------------------------------------------------

    @contextlib.contextmanager
    def hole(
        self, opening: bytes = b"", *, up: bool = True, down: bool = True, existing_only: bool = False
    ) -> Iterator[Hole]:
        """Nothing passes, and nobody is told. `up` is towards the server.

        What was held back goes on its way in the end, as TCP would send it again. With
        `existing_only`, connections that are made meanwhile work.
        """
        only = frozenset(self._links) if existing_only else None
        with self._fault(self._faults.holes, Hole(opening, up, down, only)) as hole:
            yield hole
        assert hole.held, "nothing fell into the hole"

    @contextlib.contextmanager
    def cutting(self, times: int, like: bytes = b"", every: int = 1) -> Iterator[Cut]:
        """Cut the connection instead of passing a reply in which the pattern `like` is found.

        The server has executed the command by then, and the client cannot know. Of the
        replies that match, the first and then each `every`-th one is cut, `times` in all.
        """
        with self._fault(self._faults.cuts, Cut(times, re.compile(like), every)) as cut:
            yield cut
        assert cut.done == times, f"{cut.done} of {times} replies were cut"

    @contextlib.contextmanager
    def refusing(self) -> Iterator[Refusal]:
        """New connections are reset before a byte has passed; those that are there stay."""
        with self._fault(self._faults.refusals, Refusal()) as refusal:
            yield refusal
        assert refusal.refused, "nobody was refused"

    @contextlib.contextmanager
    def latency(self, seconds: float) -> Iterator[Delay]:
        """Each piece of at most 64 KiB waits so long, in both directions, one after another."""
        with self._fault(self._faults.delays, Delay(seconds)) as delay:
            yield delay
        assert delay.delayed, "nothing was delayed"

    def reset_all(self, opening: bytes = b"") -> int:
        """Reset the connections that are there; how many."""

        def reset() -> int:
            chosen = self._chosen(opening)
            for link in chosen:
                link.reset()
            return len(chosen)

        return self._in_loop(reset)

    def open_links(self, opening: bytes = b"") -> int:
        """How many connections there are."""
        return self._in_loop(lambda: len(self._chosen(opening)))

    def _chosen(self, opening: bytes) -> list[Link]:
        return [link for link in self._links if opening in link.opening and not link.is_reset]

    @contextlib.contextmanager
    def _fault(self, faults: list[T], fault: T) -> Iterator[T]:
        self._in_loop(lambda: faults.append(fault))
        try:
            yield fault
        finally:
            self._in_loop(lambda: faults.remove(fault))

    def _in_loop(self, what: Callable[[], T]) -> T:
        async def call() -> T:
            return what()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(10)

    # --- the thread ------------------------------------------------------------------

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for link in list(self._links):
            link.reset()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = Link([writer])
        if self._faults.refusals:
            for refusal in self._faults.refusals:
                refusal.refused += 1
            link.reset()
            return
        self._links.add(link)
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
            link.writers.append(to_server)
            await asyncio.gather(
                self._pump(link, reader, to_server, up=True),
                self._pump(link, from_server, writer, up=False),
            )
            for ended in link.writers:
                ended.close()  # And not aborted: what is still in its buffer goes out.
                await ended.wait_closed()
        except OSError:
            link.reset()  # One end has broken: so does the other.
        finally:
            self._links.discard(link)

    async def _pump(self, link: Link, source: Any, sink: Any, *, up: bool) -> None:
        piece = b"start"
        while piece:
            piece = await source.read(_CHUNK_BYTES)
            if up and len(link.opening) < _OPENING_BYTES:
                link.opening += piece
            for delay in self._faults.delays:
                delay.delayed += 1
                await asyncio.sleep(delay.seconds)
            await self._hold(link, up)
            if piece and not up and any(cut.strikes(piece) for cut in self._faults.cuts):
                raise ConnectionResetError
            if piece:
                sink.write(piece)
                await sink.drain()
        if sink.can_write_eof():
            sink.write_eof()
        else:
            sink.close()  # TLS knows no connection that is closed in one direction only.

    async def _hold(self, link: Link, up: bool) -> None:
        for hole in [hole for hole in self._faults.holes if hole.covers(link, up)]:
            hole.held += 1
        while any(hole.covers(link, up) for hole in self._faults.holes):
            await asyncio.sleep(_LOOK_SECONDS)
            if link.is_reset:
                raise ConnectionResetError
