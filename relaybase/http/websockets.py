"""The web server's WebSockets: uvicorn's own, to which whoever sends the same to many gives finished frames.

A frame that a server sends has no mask, and nothing is compressed here. So a message is the same bytes for
every WebSocket, and several are their bytes one after the other. What is sent to thousands is made once, and
what has gathered for one of them takes one call of the operating system (`FRAMES`).

An application that finds `FRAMES` among the scope's extensions may send

    {"type": "websocket.send", FRAMES: bytes}

with whole frames, made by `text_frame`. As any other message it waits while the client does not read. The
extension itself is the `Connection`. It can be broken off, and tells when the server is about to stop.

What a client sends is small here: `MOST_BYTES`. Whether it is there is asked by what is spoken on top of it
(`live.socketio`), so uvicorn's own pings are off.

`relaybase.http.connections` has uvicorn use it.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

FRAMES: Final = "relay.frames"

MOST_BYTES: Final = 64 << 10
"""Of a message that a client sends."""


def text_frame(text: bytes) -> bytes:
    """A message as it is sent. The text is UTF-8."""
    size = len(text)
    if size < 126:
        return b"\x81%c%b" % (size, text)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), text)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), text)


class Connection(WebSocketsSansIOProtocol):
    """One WebSocket."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.ping_interval = None
        self.conn = ServerProtocol(max_size=MOST_BYTES, logger=self.logger)
        self.on_stop: Callable[[], object] | None = None
        """Is called when the server is about to stop: whoever sets it closes the WebSocket by itself."""

    def handle_connect(self, event: Request) -> None:
        """It is asked for."""
        super().handle_connect(event)
        if self.response.status_code == HTTPStatus.SWITCHING_PROTOCOLS:
            # The application has not begun yet: its task has only been made.
            cast("dict[str, Any]", self.scope["extensions"])[FRAMES] = self

    def shutdown(self) -> None:
        """The server is about to stop."""
        if self.on_stop is not None and not self.close_sent:
            self.on_stop()
        else:
            super().shutdown()

    def break_off(self) -> None:
        """At once, without what has not been read: a client that reads nothing would hold it open."""
        self.transport.abort()

    async def send(self, message: Any) -> None:
        """What the application sends."""
        frames = message.get(FRAMES)
        if frames is None:
            await super().send(message)
            return
        if not self.handshake_complete:
            raise RuntimeError("Frames are sent once the WebSocket is accepted.")
        await self.writable.wait()
        if self.disconnected or self.close_sent:
            raise ClientDisconnected
        self.transport.write(frames)
