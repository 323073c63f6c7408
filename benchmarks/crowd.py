"""Clients that watch: one process, a socket for each, and as little as possible for each message.

Nothing is parsed of what they are sent but the ids of the messages (`benchmarks.load`), which look the same
in server-sent events and in a WebSocket's frames. Each client has to be given all that was published, in
order, each message once. How it is published says the `Way`.
"""

import re
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from benchmarks.load import Load
from benchmarks.publisher import command, publish
from benchmarks.target import WrongResult

ID: Final = re.compile(rb'\{\\?"id\\?":(\d{10}),')
_LONGEST: Final = 40
"""What says an id is shorter."""

_PING: Final = b"\x81\x012"
_PONG: Final = b"\x81\x81\0\0\0\0003"
"""Engine.IO's, as frames of a WebSocket."""

_ALIVE: Final = re.compile(rb"\x89\x04(.{4})", re.DOTALL)
_ALIVE_TOO: Final = b"\x8a\x84\0\0\0\0"
"""The WebSocket's own, with four bytes that are sent back. Rows are ASCII, and frames of a message longer."""

_PATIENCE_SECONDS: Final = 30.0
_READ_BYTES: Final = 1 << 18
_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """What a client says, and what it is sent once that is done."""

    says: bytes
    until: bytes


class Way(Protocol):
    """How what clients are sent is published."""

    def publish(self, load: Load, ids: Sequence[int]) -> None:
        """These, now.

        Raises:
            WrongResult: they are not taken.
        """

    def close(self) -> None:
        """Nothing more is."""


class ByRedis:
    """By PUBLISH, to the server at this port."""

    def __init__(self, port: int) -> None:
        self._redis = socket.create_connection(("127.0.0.1", port))
        self._redis.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def publish(self, load: Load, ids: Sequence[int]) -> None:
        if publish(self._redis, [command(load.shape, id) for id in ids]):
            raise WrongResult("The server that is watched does not hear what is published.")

    def close(self) -> None:
        self._redis.close()


class _Client:
    """One of them. `had`: so many messages."""

    __slots__ = ("had", "socket", "step", "tail")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.step = 0
        self.tail = b""
        self.had = 0


class Crowd:
    """Of one server. With `with`: in the end all of them leave.

    steps: by which each of them comes to watch
    says:  finds the id of a message in what they are sent
    """

    def __init__(self, port: int, steps: Sequence[Step], way: Way, says: "re.Pattern[bytes]" = ID) -> None:
        self._port = port
        self._steps = steps
        self._way = way
        self._says = says
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._coming = 0
        self._expected: list[bytes] = []
        self._left = 0
        self._published: list[float] = []
        self._took: list[float] = []

    def __enter__(self) -> "Crowd":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._selector.close()
        for client in self._clients:
            client.socket.close()
        self._way.close()

    def come(self, count: int) -> None:
        """So many, not all at once. They are there afterwards."""
        for _ in range(count):
            self._connect()
            while self._coming >= _AT_ONCE:
                self._look()
        while self._coming:
            self._look()

    def deliver(self, load: Load, pause: Callable[[], float]) -> list[float]:
        """Publish these, so many seconds one after another; those from PUBLISH until each client has each."""
        self._expect(load, len(self._clients))
        due, ids = time.perf_counter(), iter(load.ids)
        while self._left:
            some = []
            now = time.perf_counter()
            while now >= due and (id := next(ids, None)) is not None:
                some.append(id)
                due += pause()
            if some:
                self._published += [now] * len(some)
                self._way.publish(load, some)
            if len(self._published) < load.count:
                self._look(max(0.0, due - time.perf_counter()), must=False)
            else:
                self._look()
        return self._took

    def come_to(self, load: Load, count: int, meanwhile: Callable[[], object]) -> None:
        """So many at once, who are to be given all of this, which is stored. `meanwhile` is called often."""
        self._expect(load, count)
        for _ in range(count):
            self._connect()
            self._look(0.0, must=False)
        while self._left:
            self._look()
            meanwhile()

    def wait(self, seconds: float) -> None:
        """Read what there is, so long."""
        until = time.perf_counter() + seconds
        while (left := until - time.perf_counter()) > 0:
            self._look(left, must=False)

    # --- inside --------------------------------------------------------------------------

    def _expect(self, load: Load, clients: int) -> None:
        self._expected = [b"%d" % id for id in load.ids]
        self._left = load.count * clients
        self._published, self._took = [], []
        for client in self._clients:
            client.had = 0

    def _connect(self) -> None:
        client = _Client(socket.create_connection(("127.0.0.1", self._port)))
        self._clients.append(client)
        self._coming += 1
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.socket.setblocking(False)
        self._selector.register(client.socket, selectors.EVENT_READ, client)
        client.socket.sendall(self._steps[0].says)

    def _look(self, seconds: float = _PATIENCE_SECONDS, *, must: bool = True) -> None:
        found = self._selector.select(seconds)
        if must and not found:
            raise WrongResult(
                f"Nothing came for {_PATIENCE_SECONDS:.0f} s; {self._left} messages are missing."
            )
        for key, _ in found:
            self._read(key.data)

    def _read(self, client: _Client) -> None:
        data = client.socket.recv(_READ_BYTES)
        if not data:
            raise WrongResult(f"A client was sent away after {client.tail!r}.")
        data = client.tail + data
        if client.step < len(self._steps):
            self._proceed(client, data)
        else:
            self._take(client, data)

    def _proceed(self, client: _Client, data: bytes) -> None:
        while client.step < len(self._steps):
            _, found, rest = data.partition(self._steps[client.step].until)
            if not found:
                client.tail = data
                return
            data = rest
            client.step += 1
            if client.step < len(self._steps):
                client.socket.sendall(self._steps[client.step].says)
        self._coming -= 1
        self._take(client, data)

    def _take(self, client: _Client, data: bytes) -> None:
        found = self._says.findall(data)
        tail = data[-_LONGEST:]
        if found:
            now = time.perf_counter()
            until = client.had + len(found)
            if found != self._expected[client.had : until]:
                raise WrongResult(f"A client was given {found[:3]!r}… after {client.had} messages.")
            self._took += [now - at for at in self._published[client.had : until]]
            client.had = until
            self._left -= len(found)
            tail = tail.rpartition(found[-1])[2]
        if _PING in data:
            client.socket.sendall(_PONG)
            tail = tail.rpartition(_PING)[2]
        if (alive := _ALIVE.search(data)) is not None:
            client.socket.sendall(_ALIVE_TOO + alive[1])
            tail = tail.rpartition(alive[0])[2]
        client.tail = tail
