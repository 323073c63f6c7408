"""Engine.IO's server, whose sockets take what is stored instead of having it put into a queue."""

import logging
from collections.abc import Mapping
from typing import Any, Final

import engineio
from engineio.async_drivers import asgi

from live.socketio.outbox import Burst, Outbox
from relaybase.http.websockets import FRAMES, MOST_BYTES, Connection, texts

log = logging.getLogger(__name__)

PING_SECONDS: Final = 25
PONG_SECONDS: Final = 20
"""As Engine.IO has them: a client that is gone without a word is noticed after their sum."""


class WebSocket(asgi.WebSocket):  # type: ignore[misc]  # It has no types.
    """One WebSocket, to which a burst is one call."""

    async def __call__(self, environ: Mapping[str, Any]) -> Any:
        connection: Connection | None = (environ["asgi.scope"].get("extensions") or {}).get(FRAMES)
        self._takes_frames = connection is not None
        socket = self.handler.__self__
        outbox: Outbox = socket.queue
        outbox.is_websocket = True
        if connection is not None:
            outbox.break_off = connection.break_off
            connection.on_stop = outbox.stop
        try:
            return await super().__call__(environ)
        finally:
            if not socket.upgraded:
                # It goes on by polls. Engine.IO would answer them with nothing for ever, where the
                # WebSocket has broken off before the client has tried it.
                socket.upgrading = False
                outbox.stay_polled()

    async def send(self, message: Any) -> None:
        """What `encode` has returned."""
        if not isinstance(message, Burst):
            await super().send(message)
        elif self._takes_frames:
            await self.asgi_send({"type": "websocket.send", FRAMES: message.frames})
        else:
            for text in texts(message.frames):
                await super().send(text)


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # It has no types.
    """Sockets by their id: `sockets`. What they hear is told by `on`, as Engine.IO has it."""

    def __init__(self) -> None:
        super().__init__(
            async_mode="asgi",
            ping_interval=PING_SECONDS,
            ping_timeout=PONG_SECONDS,
            max_http_buffer_size=MOST_BYTES,
            # What is compressed keeps everybody waiting. A proxy may do it.
            http_compression=False,
            # `application` looks at origins.
            cors_allowed_origins=[],
            logger=_log,
            # One after the other: whoever asks much waits for his answers.
            async_handlers=False,
            # `Sockets` looks after them.
            monitor_clients=False,
        )
        self._async: dict[str, Any] = {**asgi._async, "websocket": WebSocket}

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        """What a new socket has for one."""
        return Outbox()

    def outbox(self, sid: str) -> Outbox:
        """Of a new socket, which takes from it from now on."""
        socket = self.sockets[sid]
        outbox: Outbox = socket.queue
        socket.poll = outbox.poll
        return outbox


def _is_failure(record: logging.LogRecord) -> bool:
    return record.exc_info is not None


_log: Final = logging.getLogger(f"{__name__}.engineio")
"""Engine.IO's. It tells what clients have done wrong and, where it may, what they have said."""

_log.setLevel(logging.ERROR)
_log.addFilter(_is_failure)
