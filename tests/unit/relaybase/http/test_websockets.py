"""Finished frames are what uvicorn itself would send, and a client that reads nothing can be hung up on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.client import ClientProtocol
from websockets.frames import Frame
from websockets.uri import parse_uri

from relaybase.http.connections import Connection
from relaybase.http.websockets import FRAMES, MOST_BYTES, text_frame

SIZES = [0, 1, 125, 126, 127, 65_535, 65_536, 300_000]


class Wire(asyncio.Transport):
    """Between uvicorn and a client."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = self.is_aborted = False
        self.protocol: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_protocol(self, protocol: Any) -> None:
        self.protocol = protocol

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_aborted = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass


class Socket:
    """A WebSocket whose client and application are the test."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.client = ClientProtocol(parse_uri("ws://localhost/socket.io/"))
        self.scope: dict[str, Any] = {}
        self.send: Callable[[Any], Awaitable[None]] = self._nothing
        self.receive: Callable[[], Awaitable[Any]] = self._nothing_comes
        self._is_over = asyncio.Event()

    async def open(self) -> None:
        config = Config(self._application, interface="asgi3", log_config=None)
        config.load()
        first = Connection(config, ServerState(), {})
        self.wire.protocol = first
        first.connection_made(self.wire)
        self.client.send_request(self.client.connect())
        self.tell()
        while not self.scope:
            await asyncio.sleep(0)
        assert (await self.receive())["type"] == "websocket.connect"

    def tell(self) -> None:
        """What the client has to say goes to the server."""
        self.wire.protocol.data_received(b"".join(self.client.data_to_send()))

    def heard(self) -> list[str]:
        """The texts that the client has."""
        self.client.receive_data(bytes(self.wire.written))
        self.wire.written.clear()
        return [
            bytes(event.data).decode() for event in self.client.events_received() if isinstance(event, Frame)
        ]

    def end(self) -> None:
        self._is_over.set()

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        await self._is_over.wait()

    async def _nothing(self, event: Any) -> None: ...

    async def _nothing_comes(self) -> Any: ...


def test_frames_are_read_by_a_client_as_any_others() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        texts = ["ü" * (size // 2) + "x" * (size % 2) for size in SIZES]
        await socket.send(
            {"type": "websocket.send", FRAMES: b"".join(text_frame(text.encode()) for text in texts)}
        )
        await socket.send({"type": "websocket.send", "text": "as usual"})
        assert socket.heard() == [*texts, "as usual"]
        socket.end()

    asyncio.run(run())


def test_nothing_is_compressed() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        assert b"permessage" not in bytes(socket.wire.written)
        socket.end()

    asyncio.run(run())


def test_frames_wait_while_the_client_does_not_read() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        socket.heard()
        socket.wire.protocol.pause_writing()
        sending = asyncio.ensure_future(socket.send({"type": "websocket.send", FRAMES: text_frame(b"one")}))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sending.done()
        assert not socket.wire.written
        socket.wire.protocol.resume_writing()
        await sending
        assert socket.heard() == ["one"]
        socket.end()

    asyncio.run(run())


def test_frames_for_who_has_gone_are_told_so() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        await socket.send({"type": "websocket.close"})
        with pytest.raises(ClientDisconnected):
            await socket.send({"type": "websocket.send", FRAMES: text_frame(b"late")})
        socket.end()

    asyncio.run(run())


def test_frames_are_not_sent_before_it_is_accepted() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        with pytest.raises(RuntimeError):
            await socket.send({"type": "websocket.send", FRAMES: text_frame(b"early")})
        assert not socket.wire.written
        socket.end()

    asyncio.run(run())


def test_a_client_that_reads_nothing_can_be_hung_up_on() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        socket.wire.protocol.pause_writing()
        socket.scope["extensions"][FRAMES].break_off()
        assert socket.wire.is_aborted
        socket.end()

    asyncio.run(run())


def test_a_client_that_sends_too_much_is_hung_up_on() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        socket.client.receive_data(bytes(socket.wire.written))
        socket.client.send_text(b"x" * MOST_BYTES)
        socket.tell()
        assert (await socket.receive())["type"] == "websocket.receive"
        socket.client.send_text(b"x" * (MOST_BYTES + 1))
        socket.tell()
        assert (await socket.receive())["type"] == "websocket.disconnect"
        assert socket.wire.is_closed
        socket.end()

    asyncio.run(run())


def test_who_wants_to_say_goodbye_is_told_that_the_server_stops() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        told: list[str] = []
        socket.scope["extensions"][FRAMES].on_stop = lambda: told.append("stop")
        socket.wire.protocol.shutdown()
        assert told == ["stop"]
        assert not socket.wire.is_closed
        await socket.send({"type": "websocket.close"})
        socket.wire.protocol.shutdown()
        assert socket.wire.is_closed
        socket.end()

    asyncio.run(run())


def test_who_does_not_is_closed_with_the_server() -> None:
    async def run() -> None:
        socket = Socket()
        await socket.open()
        await socket.send({"type": "websocket.accept"})
        socket.wire.protocol.shutdown()
        assert socket.wire.is_closed
        socket.end()

    asyncio.run(run())
