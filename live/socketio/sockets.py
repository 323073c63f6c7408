"""The sockets of this process: who has come, and who has to go."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final

from django.conf import settings

from live.admitting import Watchers
from live.counting import COUNTS
from live.hub import SLOW
from live.rights import AWAY, REVOKED
from live.socketio import everybody, protocol
from live.socketio.engine import Engine
from live.socketio.outbox import Seat
from live.socketio.protocol import NotUnderstood
from live.socketio.socket import Came, Socket
from relaybase.http.bodies import peer_of
from relaybase.http.crowd import Crowd, Place
from relaybase.http.forwarded import client_address
from relaycore.errors import Disconnected, one_line

log = logging.getLogger(__name__)

CONNECT_SECONDS: Final = 10.0
"""From its first packet on a client has so long to say who it is."""

LOOK_SECONDS: Final = 1.0

PARTING_SECONDS: Final = 5.0
"""So long somebody who has to go may take what he is told last."""

SESSION_OF: Final = "relay.session"
"""In a scope: with which key its client is logged in; empty: with none, or for its page it does not count."""

STRANGERS: Final = Crowd(4096, 1024)
"""Sockets that watch nothing yet: they keep out none of those who do. A herd that comes again after a restart
is one for moments; who has to go comes again."""


class Sockets:
    """Of one event loop. `engine` takes their requests.

    authority: who knows the keys
    """

    def __init__(self, authority: Watchers) -> None:
        self._authority = authority
        self._sockets: dict[str, Socket] = {}
        self._strangers: dict[str, Place] = {}
        self._task: asyncio.Task[None] | None = None
        self.engine = Engine()
        self.engine.on("connect", self._come)
        self.engine.on("message", self._hear)
        self.engine.on("disconnect", self._gone)

    @property
    def is_full(self) -> bool:
        """Whether there are as many as there may be."""
        return len(self._sockets) >= settings.RELAY_LIVE_CONNECTIONS

    # --- what Engine.IO tells ------------------------------------------------------------

    async def _come(self, id: str, environ: Mapping[str, Any]) -> None:
        outbox, scope = self.engine.outbox(id), environ["asgi.scope"]
        forwarded = environ.get("HTTP_X_FORWARDED_FOR", "")
        address = client_address(peer_of(scope), forwarded, settings.RELAY_TRUSTED_PROXIES)
        came = Came(address, scope.get(SESSION_OF, ""))
        socket = self._sockets[id] = Socket(id, outbox, came, self._authority, self._end)

        async def leave(channel: str, seat: Seat) -> None:
            await self._leave(socket, channel, seat)

        def give_way() -> None:
            socket.has_to_go = True

        outbox.on_leave, outbox.on_cut = leave, give_way
        self._strangers[id] = STRANGERS.enter(address, 1, give_way)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def _hear(self, id: str, data: object) -> None:
        if (socket := self._sockets.get(id)) is None:
            return
        try:
            await socket.answer(protocol.read(data))
        except NotUnderstood:
            await self._end(socket)
        except Exception as exc:  # Nobody expected it. The client comes again.
            log.error("Socket.IO: a socket is given up", exc_info=exc)
            await self._end(socket)
        if socket.outbox.seats:
            self._is_known(id)

    async def _gone(self, id: str, reason: str) -> None:
        # Engine.IO keeps one that has said goodbye until it looks, and it does not look.
        self.engine.sockets.pop(id, None)
        if (socket := self._sockets.pop(id, None)) is not None:
            self._is_known(id)
            socket.close()
            # What it has not read would hold its connection open, and nobody looks at it any more.
            asyncio.get_running_loop().call_later(PARTING_SECONDS, socket.outbox.cut)

    def _is_known(self, id: str) -> None:
        if (place := self._strangers.pop(id, None)) is not None:
            STRANGERS.done(place)

    # --- who has to go -------------------------------------------------------------------

    async def _end(self, socket: Socket) -> None:
        await self.engine.disconnect(socket.id)

    async def _leave(self, socket: Socket, channel: str, seat: Seat) -> None:
        """A seat has to go: for a right that is lacking alone, for anything else with the whole socket."""
        reason = seat.viewer.reason or ""
        if socket.outbox.seats.get(channel) is seat:
            del socket.outbox.seats[channel]
        seat.viewer.close()
        if reason == REVOKED:
            told = protocol.event("left", {"channel": channel, "reason": reason})
            socket.outbox.put_nowait(told)
        else:
            await self._send_away(socket, reason)

    async def _send_away(self, socket: Socket, reason: str) -> None:
        """It may come again, and goes on from where it was."""
        socket.outbox.put_nowait(protocol.event("closing", {"reason": reason}))
        await self._end(socket)

    async def _dismiss(self, socket: Socket) -> None:
        """It is not to come again by itself: its key is not valid any more."""
        socket.outbox.put_nowait(protocol.event("closing", {"reason": REVOKED}))
        socket.outbox.put_nowait(protocol.dismissed())
        await self._end(socket)

    # --- once a second -------------------------------------------------------------------

    async def _watch(self) -> None:
        while self._sockets:
            await asyncio.sleep(LOOK_SECONDS)
            looks: list[Callable[[], Awaitable[None]]]
            looks = [partial(self._look, socket) for socket in self._sockets.values()]
            for look in [*looks, self._look_at_keys, self._look_at_broadcasts]:
                try:
                    await look()
                except Exception as exc:  # Whatever it is: in a second it is tried again.
                    log.info("Socket.IO: %s", one_line(exc))

    async def _look(self, socket: Socket) -> None:
        engine = self.engine.sockets.get(socket.id)
        if engine is None or engine.closed:
            await self._gone(socket.id, "")
        elif engine.closing:
            return
        elif not await engine.check_ping_timeout():
            self.engine.sockets.pop(socket.id, None)
            socket.outbox.cut()
        elif socket.outbox.is_too_much:
            COUNTS.left[SLOW] += 1
            socket.outbox.cut()
        elif socket.has_to_go or (socket.key is None and time.monotonic() - socket.began > CONNECT_SECONDS):
            await self._end(socket)

    async def _look_at_keys(self) -> None:
        """Dismiss those whose key is not valid any more. At rights on channels the hub looks."""
        by_key: dict[str, list[Socket]] = {}
        for socket in self._sockets.values():
            if socket.key is not None:
                by_key.setdefault(socket.key, []).append(socket)
        for key, sockets in by_key.items():
            try:
                is_valid = (self._authority.known(key) or await self._authority.find(key)) is not None
            except Exception as exc:  # Whatever keeps it from being looked at: nothing holds then.
                if not isinstance(exc, Disconnected):
                    log.error("Socket.IO: a key could not be looked at", exc_info=exc)
                for socket in sockets:
                    await self._send_away(socket, AWAY)
                continue
            if not is_valid:
                for socket in sockets:
                    await self._dismiss(socket)

    async def _look_at_broadcasts(self) -> None:
        """Give sockets another seat in what goes to all of them, if that is something else by now."""
        sockets = [socket for socket in self._sockets.values() if socket.key is not None]
        if not sockets:
            return
        try:
            events = await everybody.broadcasts()
        except Disconnected:  # Nobody knows whether it is public any more.
            for socket in sockets:
                await self._send_away(socket, AWAY)
            return
        for socket in sockets:
            try:
                await socket.sit_anew(events)
            except Exception as exc:  # Whatever it is: it comes again, from where it was.
                log.info("Socket.IO: a socket is sent away: %s", one_line(exc))
                await self._send_away(socket, AWAY)
