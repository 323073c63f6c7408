"""The ASGI application in front of the others: what is below `/socket.io/` is answered here."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs

from rest_framework.exceptions import PermissionDenied

from access_app.watching import sessions
from live import origins
from live.admitting import SESSION, Watchers
from live.socketio.outbox import BETWEEN
from live.socketio.protocol import is_spoken
from live.socketio.sockets import SESSION_OF, Sockets
from relaybase.connections import one_per_loop
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.connections import connection_of
from relaybase.http.hot import plain
from relaybase.http.websockets import MOST_BYTES

PATH: Final = "/socket.io"

_RETRY_AFTER_SECONDS: Final = b"2"

NOT_PROPER: Final = (
    "Nothing is answered here under the name by which it was asked for (RELAY_ALLOWED_HOSTS), "
    "or not without HTTPS."
)
NOT_UNDERSTOOD: Final = "This is nothing that a client of Socket.IO 4.x says."
NO_JSONP: Final = "Clients of Socket.IO 4.x do not poll with scripts."
FULL: Final = "As many sockets are here as may be (RELAY_LIVE_CONNECTIONS). Come again."


class SocketIO:
    """Answers what is below `PATH`, and hands on everything else that is no WebSocket."""

    def __init__(self, otherwise: Application, authority: Watchers) -> None:
        self._otherwise = otherwise
        self._sockets = one_per_loop(lambda: Sockets(authority))

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in {"http", "websocket"}:
            await self._otherwise(scope, receive, send)
        elif plain.path_of(scope).rstrip("/") == PATH:
            await self._serve(scope, receive, send)
        elif kind == "websocket":
            # Nobody else speaks it.
            await _refuse(scope, receive, send, 404, "There is no WebSocket at this address.")
        else:
            await self._otherwise(scope, receive, send)

    async def _serve(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        sockets = self._sockets()
        scheme = _SCHEMES.get(scope["scheme"], scope["scheme"])
        headers = {**dict(scope["headers"]), b"accept": b"*/*"}
        way = plain.way_of({**scope, "scheme": scheme}, headers)
        if not way.is_plain:
            await _refuse(scope, receive, send, 400, NOT_PROPER)
            return
        try:
            told = origins.headers_for(headers, is_https=way.is_https, is_by_cookie=False)
        except PermissionDenied as exc:
            await _refuse(scope, receive, send, 403, str(exc))
            return
        send = origins.telling(send, told)
        if not told or _WITH_COOKIES in told:
            scope = {**scope, SESSION_OF: _session_of(headers)}
        query = _query_of(scope)
        session = query.get("sid", [""])[0]
        if _JSONP in query:
            await _refuse(scope, receive, send, 400, NO_JSONP)
            return
        if not session and sockets.is_full:
            await _refuse(scope, receive, send, 503, FULL)
            return
        if scope["type"] == "websocket":
            await sockets.engine.handle_request(scope, _spoken(receive), send)
        elif scope["method"] == "OPTIONS":
            await _refuse(scope, receive, origins.telling(send, _ALLOWED), 204, "")
        elif scope["method"] == "POST":
            await self._post(sockets, scope, receive, send)
        else:
            await self._poll(sockets, session, scope, receive, send)

    async def _post(self, sockets: Sockets, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await bodies.whole(receive, MOST_BYTES, bodies.peer_of(scope), bodies.OF_STRANGERS)
        except bodies.Gone:
            return
        except bodies.Refused as exc:
            await _refuse(scope, receive, send, exc.status, str(exc))
            return
        if not all(map(is_spoken, body.decode("utf-8", "replace").split(BETWEEN))):
            await _refuse(scope, receive, send, 400, NOT_UNDERSTOOD)
            return
        length = (b"content-length", b"%d" % len(body))
        others = [(name, value) for name, value in scope["headers"] if name != b"content-length"]
        await sockets.engine.handle_request({**scope, "headers": [*others, length]}, _read(body), send)

    async def _poll(
        self, sockets: Sockets, session: str, scope: dict[str, Any], receive: Receive, send: Send
    ) -> None:
        connection, socket = connection_of(scope), sockets.engine.sockets.get(session)
        if connection is None or socket is None:
            await sockets.engine.handle_request(scope, receive, send)
            return
        outbox = socket.queue
        before = outbox.break_off
        outbox.break_off, connection.on_stop = connection.break_off, outbox.stop
        try:
            await sockets.engine.handle_request(scope, receive, send)
        finally:
            connection.on_stop = None
            if outbox.break_off == connection.break_off:
                outbox.break_off = before if outbox.is_websocket else None


def _session_of(headers: plain.Headers) -> str:
    session = sessions.key_of(headers)
    return SESSION + session if session else ""


def _query_of(scope: Mapping[str, Any]) -> Mapping[str, list[str]]:
    try:
        return parse_qs(scope["query_string"].decode(), keep_blank_values=True)
    except ValueError:
        return {}


def _spoken(receive: Receive) -> Receive:
    """What comes by a WebSocket, up to the first that is nothing that a client says."""

    async def hear() -> Mapping[str, Any]:
        event = await receive()
        if event["type"] == "websocket.receive" and not is_spoken(event.get("text") or ""):
            return {"type": "websocket.disconnect", "code": _NOT_UNDERSTOOD}
        return event

    return hear


def _read(body: bytes) -> Receive:
    async def hear() -> Mapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return hear


async def _refuse(scope: Mapping[str, Any], receive: Receive, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        if (await receive())["type"] == "websocket.connect":
            await send({"type": "websocket.close"})
        return
    body = why.encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(body))]
    if status == _UNAVAILABLE:
        headers.append((b"retry-after", _RETRY_AFTER_SECONDS))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


_SCHEMES: Final = {"ws": "http", "wss": "https"}
_JSONP: Final = "j"
_WITH_COOKIES: Final = (b"access-control-allow-credentials", b"true")
_NOT_UNDERSTOOD: Final = 1007
_UNAVAILABLE: Final = 503
_ALLOWED: Final = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Authorization, Content-Type"),
    (b"access-control-max-age", b"600"),
]
