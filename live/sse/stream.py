"""Server-sent events: one connection, from its first byte to its last."""

import random
import time
from collections.abc import Sequence
from typing import Final

from live.counting import COUNTS
from live.departing import Departure
from live.hub import RESTART
from live.rights import REVOKED
from live.sse import frames
from live.viewer import Shown, Viewer
from relaybase.http.bodies import Receive, Send
from relaybase.http.connections import Connection
from relaycore.live.owed import Told

COMMENT_SECONDS: Final = 15.0

RETRY_MILLISECONDS: Final = 2000
SPREAD_MILLISECONDS: Final = 5000
"""Those who are sent away together come again one after another within so long."""

GONE: Final = "gone"

RawHeaders = Sequence[tuple[bytes, bytes]]

HEADERS: Final[RawHeaders] = (
    (b"content-type", frames.CONTENT_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)


def retry_milliseconds() -> int:
    """After how long somebody who is sent away comes again: another time for each."""
    return RETRY_MILLISECONDS // 2 + random.randrange(SPREAD_MILLISECONDS)


async def send_away(send: Send, headers: RawHeaders, why: str) -> None:
    """Not now: a browser comes again only if it is answered as if all was well."""
    await send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
    await send({"type": "http.response.body", "body": frames.again(retry_milliseconds(), why)})


class Stream:
    """One connection.

    form:       as `live.frames`
    connection: that of the server; None: it cannot be broken off
    """

    __slots__ = ("_connection", "_cut", "_form", "_send", "_viewer")

    def __init__(self, viewer: Viewer, form: str, send: Send, connection: Connection | None) -> None:
        self._viewer = viewer
        self._form = form
        self._send = send
        self._connection = connection
        self._cut = None if connection is None else connection.break_off

    async def run(self, receive: Receive, headers: RawHeaders) -> None:
        """Until it ends: all that was wanted is shown, it has to go, or the client goes."""
        viewer, connection = self._viewer, self._connection
        departure = Departure(receive, lambda: viewer.leave(GONE))
        if connection is not None:
            connection.on_stop = lambda: viewer.leave(RESTART)
        try:
            await self._send({"type": "http.response.start", "status": 200, "headers": [*HEADERS, *headers]})
            await self._put(frames.again(RETRY_MILLISECONDS, "Relay"))
            await self._show()
            if connection is not None:
                # There is nothing more to stop: from now on it sees for itself that this is read.
                connection.on_stop = None
            await self._end()
        finally:
            if connection is not None:
                connection.on_stop = None
            departure.close()
            viewer.close()

    async def _show(self) -> None:
        viewer, comment_at = self._viewer, time.monotonic() + COMMENT_SECONDS
        while viewer.reason is None:
            found = await viewer.take()
            if found is None and viewer.owed.is_over:
                return
            now = time.monotonic()
            if found is not None:
                await self._put(self._written(found))
            elif now >= comment_at and viewer.owed.is_told_all:
                await self._put(frames.place(viewer.owed.id))
            else:
                await viewer.wait(comment_at - now)
                continue
            comment_at = now + COMMENT_SECONDS

    def _written(self, found: Shown | Told) -> bytes:
        if isinstance(found, Shown):
            COUNTS.delivered["sse"] += len(found.entries)
            return found.joined(self._form, self._write)
        owed = self._viewer.owed
        return frames.told(found, owed.id if owed.is_told_all else None)

    def _write(self, shown: Shown) -> bytes:
        return frames.messages(shown, self._form)

    async def _end(self) -> None:
        reason = self._viewer.reason
        if reason == GONE or (self._connection is not None and self._connection.transport.is_closing()):
            return
        last = b"" if reason is None else frames.again(self._retry(reason), reason)
        await self._put(last, is_last=True)

    @staticmethod
    def _retry(reason: str) -> int:
        return RETRY_MILLISECONDS if reason == REVOKED else retry_milliseconds()

    async def _put(self, body: bytes, *, is_last: bool = False) -> None:
        self._viewer.begin_to_send(self._cut)
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})
        self._viewer.end_to_send()
