"""The web server's connections: uvicorn's own, that wait for a request within bounds.

uvicorn gives a connection all the time in the world until the headers of a request are complete, and them
all the bytes. So whoever waits for a request here (a new connection, one that has its answer, one whose
headers trickle in) has `HEAD_SECONDS` for its headers, which have `MOST_HEAD_BYTES`; and there are bounds
for all who wait: `Crowd`. A request that is under way does not count; its body has bounds of its own
(`bodies`). A head that comes meanwhile has as many bytes: with more it is cut, in the middle of an answer.
uvicorn itself closes one that is idle after an answer, `--timeout-keep-alive`.

What is answered and not read is held here for as long as the client likes, too. So a connection of whose
answer nothing has gone out for `bodies.PAUSE_SECONDS` is cut, whoever has made the answer. It is looked at
only if more waits than uvicorn lets wait, or something does after the end of an answer. What has gone out
is what the other side has confirmed, where the kernel says that: its buffer empties by leaps, seconds apart
if the client is slow.

The head of an answer goes out with the first piece of its body (`HeadFirst`). One whose head is written down
already, and whose body is there, goes out at once: `answering.answer`.

An answer that has no end of its own finds its connection in the scope (`connection_of`): it can have it
broken off, and is told when the server is about to stop (`on_stop`). As long as it wants to be told, at most
until its answer has its end, it has to see for itself that somebody reads.

`--http relaybase.http.connections:Connection` has uvicorn use it (`relayproject.processes`).
"""

import array
import asyncio
import fcntl
import termios
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from relaybase.http import websockets
from relaybase.http.bodies import PAUSE_SECONDS
from relaybase.http.connections.answering import HeadFirst, answer
from relaybase.http.crowd import Crowd, Place

HEAD_SECONDS: Final = 10.0
"""From the end of an answer, or from connecting, until the next headers are complete."""

MOST_HEAD_BYTES: Final = 64 << 10

_MOST_BEHIND: Final = 8
"""Requests that wait behind one. With more nothing is read, so it is not seen either that the client goes."""

WAITING: Final = Crowd(512, 256)
"""Connections. Those of a proxy have one peer: it keeps fewer than these for later."""


_EXTENSION: Final = "relay.connection"


def connection_of(scope: Mapping[str, Any]) -> "Connection | None":
    """The connection of a request; None: it came in another way, as in tests."""
    found: Connection | None = scope.get("extensions", {}).get(_EXTENSION)
    return found


class Connection(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ws_protocol_class = websockets.Connection
        self._place: Place | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._head_bytes = self._heads = 0
        self._is_in_body = False
        self._look_later: asyncio.TimerHandle | None = None
        self._under_way: RequestResponseCycle | None = None
        self._left, self._since = 0, 0.0
        """Bytes of answers that have not gone out, and since when they are not fewer."""
        self.on_stop: Callable[[], object] | None = None
        """Is called when the server is about to stop, while an answer is under way."""

    def connection_made(self, transport: Any) -> None:
        """It is there, and nothing has been asked."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is not there any more."""
        self._go_on()
        self._look_no_more()
        # uvicorn tells the request that came last, which may not have begun.
        if (cycle := self._under_way) is not None and not cycle.response_complete:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Something has come."""
        # What comes of a body after its answer belongs to no head, and neither does the piece in which it
        # ends: of a head that begins in the same piece only what comes after that is counted.
        was_in_body, heads = self._is_in_body, self._heads
        super().data_received(data)
        if self._heads == heads and not was_in_body and not self._is_in_body:
            self._head_bytes += len(data)
            if self._head_bytes <= MOST_HEAD_BYTES or self.transport.is_closing():
                return
            if self._place is None:  # An answer is under way, in which nothing else can be said.
                self.break_off()
            else:
                self._close(b"431 Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        """A request has begun."""
        self._is_in_body = True
        self._heads, self._head_bytes = self._heads + 1, 0
        self._go_on()
        scope: dict[str, Any] = cast(Any, self.scope)
        scope.setdefault("extensions", {})[_EXTENSION] = self
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.transport = HeadFirst(self.cycle, self.loop)  # type: ignore[assignment]
        if 0 < len(self.pipeline) <= _MOST_BEHIND:
            self.flow.resume_reading()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def handle_websocket_upgrade(self) -> None:
        """From now on it is somebody else's, and so is what waits to go out."""
        self._look_no_more()
        super().handle_websocket_upgrade()

    def on_message_complete(self) -> None:
        """All of it has come."""
        self._is_in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """It is answered. What is on its way of its body is passed over, for as long as a head may take."""
        head: Any = self.cycle.transport
        if self.cycle.response_complete and isinstance(head, HeadFirst):
            head.go()
        # Whoever was told of the stop has written his last, and looks no more whether it is read.
        self.on_stop = None
        super().on_response_complete()
        if self.transport.get_write_buffer_size():
            self._watch()
        if not self.transport.is_closing() and self.cycle.response_complete:
            self._wait()

    def answer(self, scope: Mapping[str, Any], status: int, lines: bytes, body: bytes) -> bool:
        """Answer the request of this scope at once, as `answering.answer`."""
        return answer(self.cycle, scope, status, lines, body)

    def shutdown(self) -> None:
        """The server is about to stop."""
        super().shutdown()
        if self.on_stop is not None:
            self.on_stop()

    def break_off(self) -> None:
        """At once, without what has not been sent: a client that takes nothing would hold it open."""
        self.transport.abort()

    def pause_writing(self) -> None:
        """More of an answer waits than is let wait."""
        super().pause_writing()
        self._watch()

    def _watch(self) -> None:
        """From now on something has to go out. Whoever is told of the stop looks after that himself."""
        if self.on_stop is not None:
            return
        self._left, self._since = self._waiting(), self.loop.time()
        if self._look_later is None:
            self._look_later = self.loop.call_later(PAUSE_SECONDS, self._look)

    def _look(self) -> None:
        self._look_later = None
        if not self.transport.get_write_buffer_size():
            return
        left, now = self._waiting(), self.loop.time()
        # While nothing waits for the client there may be new bytes, which hide what has gone out.
        waits = self.flow.write_paused or self.cycle.response_complete
        if not waits or left < self._left:
            self._left, self._since = left, now
        elif now >= self._since + PAUSE_SECONDS:
            self.transport.abort()
            return
        self._look_later = self.loop.call_later(self._since + PAUSE_SECONDS - now, self._look)

    def _look_no_more(self) -> None:
        if self._look_later is not None:
            self._look_later.cancel()
            self._look_later = None

    def _waiting(self) -> int:
        """Bytes of answers that have not gone out: here, and in the kernel if it says so."""
        size: int = self.transport.get_write_buffer_size()
        in_kernel = array.array("i", [0])
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, in_kernel)
        except (AttributeError, OSError):
            return size
        return size + in_kernel[0]

    def _wait(self) -> None:
        if self._place is None:
            self._head_bytes = 0
            self._timer = self.loop.call_later(HEAD_SECONDS, self._close, b"408 Request Timeout")
            self._place = WAITING.enter(self.client[0] if self.client else "", 1, self._give_way)

    def _go_on(self) -> None:
        if self._place is not None:
            WAITING.done(self._place)
            self._place = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_way(self) -> None:
        self._close(b"503 Service Unavailable")

    def _close(self, status: bytes) -> None:
        """Say why, unless nothing was asked, and hang up."""
        began = self._head_bytes > 0
        self._go_on()
        if self.transport.is_closing():
            return
        if began:
            self.transport.write(
                b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
            )
        self.transport.close()
