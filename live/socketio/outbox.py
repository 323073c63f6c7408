"""What one socket is to be sent: it stands where Engine.IO would have a queue.

Engine.IO puts its own packets in: pings, answers, the end. What is stored is not put anywhere. It is taken
from the channels that the socket has joined when, and only when, the client can be sent something: by a
WebSocket that has written what it had, or by a poll. So a socket that reads nothing holds nothing but places.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from engineio.exceptions import QueueEmpty
from engineio.packet import CLOSE, Packet

from live.hub import RESTART
from live.socketio.protocol import event
from live.viewer import Viewer
from relaybase.http.websockets import text_frame, texts

log = logging.getLogger(__name__)

MOST_SAID: Final = 1000
"""Packets that wait and are not what is stored. Whoever asks and reads no answers comes to have so many."""


BETWEEN: Final = "\x1e"
"""Between the packets of a poll. JSON writes this character as an escape."""


class Seat(Protocol):
    """A channel that a socket has joined."""

    @property
    def viewer(self) -> Viewer:
        """Where it stands."""

    async def take(self) -> bytes | None:
        """What comes next, as frames; None: nothing for now."""


class Burst:
    """Several messages, for Engine.IO one packet. `frames`: text frames of a WebSocket, joined."""

    __slots__ = ("frames",)

    def __init__(self, frames: bytes) -> None:
        self.frames = frames

    def encode(self, b64: bool = False) -> Any:
        """For a poll its text. For a WebSocket it stays what it is (`engine.WebSocket`)."""
        return BETWEEN.join(texts(self.frames)) if b64 else self


def frame(text: str) -> bytes:
    """A packet of Socket.IO as one frame."""
    return text_frame(b"4" + text.encode())


class Outbox:
    """Of one socket. For one event loop.

    seats:     by channel
    on_leave:  is told of a seat that has to go
    break_off: ends the connection that something is being sent on; None: nothing is
    on_cut:    is told that this socket has to go at once, where there is none
    is_websocket: it is no session of polls, or is about to be none any more
    """

    def __init__(self) -> None:
        self.seats: dict[str, Seat] = {}
        self.on_leave: Callable[[str, Seat], Awaitable[None]] | None = None
        self.break_off: Callable[[], object] | None = None
        self.on_cut: Callable[[], object] | None = None
        self.is_websocket = False
        self._said: deque[Packet] = deque()
        self._is_over = False
        self._is_woken = False
        self._is_polled = False
        self._waiting: asyncio.Future[None] | None = None
        self._sending: Viewer | None = None

    # --- for who has something to send ---------------------------------------------------

    def wake(self) -> None:
        """There may be something to take."""
        self._is_woken = True
        self._let_go()

    def stop(self) -> None:
        """The process is about to end: the client is to come again."""
        self.put_nowait(event("closing", {"reason": RESTART}))
        self.put_nowait(Packet(CLOSE))

    def stay_polled(self) -> None:
        """It was about to be a WebSocket, and that has come to nothing."""
        self.is_websocket, self.break_off = False, None

    def cut(self) -> None:
        """The client is to go at once, whatever it has not read."""
        if self.break_off is not None:
            self.break_off()
        elif self.on_cut is not None:
            self.on_cut()

    @property
    def is_too_much(self) -> bool:
        """Whether too many packets wait."""
        return len(self._said) > MOST_SAID

    # --- as Engine.IO asks of a queue ----------------------------------------------------

    def put_nowait(self, packet: Packet | None) -> None:
        """A packet; None: nothing comes after what is here."""
        if packet is not None:
            self._said.append(packet)
        if packet is None or packet.packet_type == CLOSE:
            self._is_over = True
        self.wake()

    async def put(self, packet: Packet | None) -> None:
        """The same."""
        self.put_nowait(packet)

    async def join(self) -> None:
        """Nobody waits for a client, which may read nothing."""

    async def poll(self) -> list[Any]:
        """What is to be sent, as soon as there is something. Nothing: there is no more.

        Raises:
            QueueEmpty: another poll waits already, which no proper client does.
        """
        if self._is_polled:
            raise QueueEmpty
        self._is_polled = True
        if self._sending is not None:
            # What was taken the last time has been taken in.
            self._sending.end_to_send()
            self._sending = None
        try:
            while (found := await self._take()) is None:
                await self._wait()
            return found
        except Exception as exc:  # Nobody expected it. The client comes again, from where it was.
            log.error("Socket.IO: a socket is given up", exc_info=exc)
            self.cut()
            return []
        finally:
            self._is_polled = False

    # --- inside --------------------------------------------------------------------------

    async def _take(self) -> list[Any] | None:
        self._is_woken = False
        if self._said or self._is_over:
            return self._take_said()
        for channel, seat in list(self.seats.items()):
            frames = await seat.take()
            if frames is not None:
                self._sending = seat.viewer
                self._sending.begin_to_send(self.cut)
                if len(self.seats) > 1 and self.seats.get(channel) is seat:
                    # The others come first the next time.
                    self.seats[channel] = self.seats.pop(channel)
                # What was said meanwhile, was said of what had been before.
                return [*self._take_said(), Burst(frames)]
            if seat.viewer.reason is not None and self.on_leave is not None:
                await self.on_leave(channel, seat)
            if self._said or self._is_over:
                return self._take_said()
        return None

    def _take_said(self) -> list[Any]:
        said = list(self._said)
        self._said.clear()
        if not self.is_websocket and len(said) > 1 and said[-1].packet_type == CLOSE:
            # The newest client hears nothing of an answer that has the end in it. The next poll is refused.
            said.pop()
        return said

    async def _wait(self) -> None:
        if self._is_woken:
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        rests = [seconds for seat in self.seats.values() if (seconds := seat.viewer.rest_seconds())]
        timer = loop.call_later(min(rests), self._let_go) if rests else None
        try:
            await self._waiting
        finally:
            self._waiting = None
            if timer is not None:
                timer.cancel()

    def _let_go(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
