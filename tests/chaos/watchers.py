"""A crowd that watches a channel by server-sent events, in one thread, and notes what it is given.

Each client does what the HTML standard says of an EventSource: what is complete counts, and when its
connection ends it comes again after as long as it was told, with the last id that it was given.
"""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final, Self
from urllib.parse import urlsplit

LAST: Final = "last"
BEFORE: Final = "before"
NOW: Final = "now"
"""Where a client goes on: where it should; with the id before that, or with none, as no client may."""

_CUT_PAUSE_SECONDS: Final = 0.02
_REQUEST: Final = (
    "GET /api/v1/channels/{channel}/live?format=raw{query} HTTP/1.1\r\nHost: {host}\r\n"
    "Authorization: Bearer {key}\r\nAccept: text/event-stream\r\n{more}\r\n"
)


class Watcher(asyncio.Protocol):
    """One client.

    texts:        what it was given, over all its connections
    caught_up_at: when it was told so the last time; `time.monotonic`
    statuses:     other answers than 200
    cuts:         so often its connection is still to be cut, within what it is being sent
    """

    def __init__(self, crowd: "Crowd", cuts: int = 0) -> None:
        self.texts: list[str] = []
        self.connections = 0
        self.caught_up_at = 0.0
        self.statuses: list[bytes] = []
        self.cuts = cuts
        self._crowd = crowd
        self._ids = [b"", b""]
        self._rest = b""
        self._is_answered = self._is_cut = False
        self._retry_seconds = 0.05
        self._transport: asyncio.Transport | None = None

    async def connect(self) -> None:
        """Until it is connected; again and again, as long as nobody takes connections."""
        while not self._crowd.is_over:
            try:
                await asyncio.get_running_loop().create_connection(lambda: self, *self._crowd.address)
                return
            except OSError:
                await asyncio.sleep(self._retry_seconds)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._rest, self._is_answered, self._is_cut = b"", False, False
        transport.write(self._crowd.request(self._ids))

    def data_received(self, data: bytes) -> None:
        if self.cuts and b"data: " in data:
            # Anywhere: what is behind that is lost on its way.
            self.cuts -= 1
            self._is_cut = True
            data = data[: self._crowd.chance.randrange(len(data))]
        *events, self._rest = (self._rest + data).replace(b"\r\n", b"\n").split(b"\n\n")
        if events and not self._is_answered:
            self._answered(events.pop(0))
        for event in events:
            self._hear(event)
        if self._is_cut:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if not self._crowd.is_over:
            pause = _CUT_PAUSE_SECONDS if self._is_cut else self._retry_seconds
            self._crowd.later(pause, self)

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport is not None:
            self._transport.abort()

    def _answered(self, head: bytes) -> None:
        self._is_answered = True
        self.connections += 1
        if (status := head.split()[1]) != b"200":
            self.statuses.append(status)

    def _hear(self, event: bytes) -> None:
        # The sizes of chunks stand between events, as lines of their own.
        kind, data = b"", None
        for line in event.split(b"\n"):
            name, _, value = line.partition(b": ")
            if name == b"data":
                data = value
            elif name == b"event":
                kind = value
            elif name == b"retry":
                self._retry_seconds = int(value) / 1000
            elif name == b"id":
                self._ids = [self._ids[1], value]
        if kind == b"caught-up":
            self.caught_up_at = time.monotonic()
        elif not kind and data is not None:
            self.texts.append(data.decode())


class Crowd:
    """With `with`: so many who watch a channel from its beginning on.

    cut:     so many of them have their connection cut 50 times
    goes_on: where they go on when they come again
    """

    CUTS: Final = 50

    def __init__(
        self,
        url: str,
        key: str,
        channel: str,
        count: int,
        *,
        chance: random.Random,
        cut: int = 0,
        goes_on: str = LAST,
    ) -> None:
        where = urlsplit(url)
        self.address = str(where.hostname), int(where.port or 0)
        self.chance = chance
        self.is_over = False
        self.watchers = [Watcher(self, self.CUTS * (number < cut)) for number in range(count)]
        self._words = {"channel": channel, "host": where.netloc, "key": key}
        self._goes_on = goes_on
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="watchers")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(30)
        assert not self._thread.is_alive()

    def are_here(self, since: float = 0.0) -> bool:
        """Whether each of them has been told, after that instant, that it has everything."""
        return all(one.caught_up_at > since for one in self.watchers)

    def back_seconds(self, since: float) -> float:
        """How long the last one of them took to have everything again."""
        return max(one.caught_up_at for one in self.watchers) - since

    def are_cut(self) -> bool:
        """Whether all that were to be cut have been, as often as they were to be."""
        return not any(one.cuts for one in self.watchers)

    def have(self, count: int) -> bool:
        """Whether each of them has been given so many messages, or more."""
        return all(len(one.texts) >= count for one in self.watchers)

    # --- for its clients, in its thread --------------------------------------------------

    def request(self, ids: list[bytes]) -> bytes:
        """What a client asks for that was given these two last."""
        last = ids[0] or ids[1] if self._goes_on == BEFORE else ids[1]
        if self._goes_on == NOW:
            last, query = b"", "" if ids[1] else "&since=earliest"
        else:
            query = "&since=earliest"
        more = f"Last-Event-ID: {last.decode()}\r\n" if last else ""
        return _REQUEST.format(**self._words, query=query, more=more).encode()

    def later(self, seconds: float, watcher: Watcher) -> None:
        """It comes again after so long."""
        self._loop.call_later(seconds, self._come, watcher)

    def _come(self, watcher: Watcher) -> None:
        task = self._loop.create_task(watcher.connect())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _run(self) -> None:
        for watcher in self.watchers:
            self._come(watcher)
        self._loop.run_forever()
        self._loop.run_until_complete(asyncio.sleep(0.1))  # Connections that were broken off are closed then.
        self._loop.close()

    def _end(self) -> None:
        self.is_over = True
        for task in self._tasks:
            task.cancel()
        for watcher in self.watchers:
            watcher.abort()
        self._loop.stop()


@contextmanager
def deaf(url: str, key: str, channel: str, count: int) -> Iterator[list[socket.socket]]:
    """So many who watch what comes from now on, and read nothing after the beginning of the answer."""
    where = urlsplit(url)
    request = _REQUEST.format(channel=channel, host=where.netloc, key=key, query="", more="")
    with ExitStack() as stack:
        found = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            one.settimeout(20)
            one.connect((where.hostname, where.port))
            one.sendall(request.encode())
        for one in found:
            said = b""
            while b"caught-up" not in said:
                said += one.recv(100)
        yield found
