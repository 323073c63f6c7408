"""One WebSocket of uvicorn."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final, cast

from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.http11 import Request
from websockets.server import ServerProtocol

from relaybase.http.websockets.frames import FRAMES

MOST_BYTES: Final = 64 << 10
"""Of a message that a client sends."""


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
