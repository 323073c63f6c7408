"""The ASGI application in front of the others: whoever watches is answered here."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from django.conf import settings
from django.core.exceptions import TooManyFieldsSent
from django.http import QueryDict
from rest_framework.exceptions import PermissionDenied, Throttled

from access_app.remembering import Holder
from live import admitting, asking, origins
from live.admitting import (
    LEAST_PASSING,
    NOBODY,
    SESSION,
    Watchers,
    refusal,
    require_channel,
    require_no_stranger,
)
from live.api.views import Live, LiveChannel
from live.asking import Asked
from live.departing import Departure
from live.hub import RESTART, Viewer, Wanted, hub
from live.polling import poll
from live.sse.stream import GONE, RawHeaders, Stream, send_away
from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.connections import Connection, connection_of
from relaybase.http.forwarded import client_address
from relaybase.http.hot import Answer, Endpoint, Request, limit, plain
from relaybase.http.hot.answers import AnswerWriter, of_error, raw
from relaybase.http.hot.application import holder_of
from relaycore.rights import READ

log = logging.getLogger(__name__)

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name, status, seconds until it began to be answered."""

_POLL_MESSAGES: Final = 100
_GONE: Final = 499
_MOST_QUERY_BYTES: Final = 32 << 10


async def _answered_here(request: Request, **named: str) -> None:
    raise NotImplementedError  # Nobody calls what an endpoint of this application has for a function.


ENDPOINTS: Final = (
    Endpoint("live", "api/v1/live", Live, READ, {"GET": _answered_here}),
    Endpoint(
        "live-channel",
        "api/v1/channels/(?P<name>[^/]+)/live",
        LiveChannel,
        READ,
        {"GET": _answered_here},
        channel="name",
    ),
)


@dataclass(frozen=True, slots=True)
class _Call:
    """A request to watch: of which endpoint, with which key, and the channel in its address.

    address: where it comes from, past trusted proxies
    """

    name: str
    writer: AnswerWriter
    key: str
    channel: str | None
    request: Request
    address: str
    is_https: bool
    is_poll: bool

    def who(self, holder: Holder) -> str:
        """Whose connections are counted together."""
        return f"address:{self.address}" if holder is NOBODY else holder.who


class LiveDoor:
    """Answers who watches, and hands on everything else.

    fixed: what Django's middlewares add to each answer, by whether it came by HTTPS
    """

    def __init__(
        self,
        otherwise: Application,
        authority: Watchers,
        fixed: Mapping[bool, Mapping[str, str]],
        count: Count,
    ) -> None:
        self._otherwise = otherwise
        self._authority = authority
        self._fixed = {is_https: raw(headers) for is_https, headers in fixed.items()}
        self._count = count
        self._routes = [
            (endpoint.name, endpoint.matcher(), AnswerWriter(fixed, endpoint.headers()))
            for endpoint in ENDPOINTS
        ]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        method = scope["method"] if scope["type"] == "http" else ""
        call = self._call(scope, receive) if method in {"GET", "OPTIONS"} else None
        if call is not None and method == "OPTIONS":
            if (told := origins.preflight(call.request.headers)) is not None:
                await send({"type": "http.response.start", "status": 204, "headers": told})
                await send({"type": "http.response.body", "body": b""})
                return
            call = None
        if call is None:
            await self._otherwise(scope, receive, send)
            return
        with logs.within(call.request.headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            await self._serve(call, scope, receive, send, request_id)

    def _call(self, scope: Mapping[str, Any], receive: Receive) -> _Call | None:
        path = plain.path_of(scope)
        for name, matcher, writer in self._routes:
            if (match := matcher.match(path)) is None:
                continue
            headers = plain.headers_of(scope)
            if not headers or len(scope["query_string"]) > _MOST_QUERY_BYTES:
                return None
            way = plain.way_of(scope, {**headers, b"accept": b"*/*"})
            if not way.is_plain or not scope["query_string"].isascii():
                return None
            try:
                query = QueryDict(scope["query_string"].decode(), mutable=True)
            except TooManyFieldsSent:
                return None
            tickets = query.pop("ticket", [None])
            if len(tickets) > 1 or (key := admitting.key_of(headers, tickets[0])) is None:
                return None
            channel = match.groupdict().get("name")
            return _Call(
                name,
                writer,
                key,
                None if channel is None else channel.replace(plain.QUOTED_SLASH, "/"),
                Request(scope["method"], headers, query, receive, 0),
                client_address(
                    bodies.peer_of(scope),
                    headers.get(b"x-forwarded-for", b"").decode("latin-1"),
                    settings.RELAY_TRUSTED_PROXIES,
                ),
                way.is_https,
                asking.is_poll(headers, query),
            )
        return None

    async def _serve(
        self, call: _Call, scope: Mapping[str, Any], receive: Receive, send: Send, request_id: str
    ) -> None:
        began = time.perf_counter()
        try:
            told = origins.headers_for(
                call.request.headers, is_https=call.is_https, is_by_cookie=call.key.startswith(SESSION)
            )
            send = origins.telling(send, told)
            asked, viewer = await self._let_in(call)
        except Exception as exc:
            answer = of_error(exc, call.request, call.name)
            if answer.status < LEAST_PASSING or call.is_poll:
                await self._answer(call, answer, send, request_id, began)
                return
            self._note(call, 200, began)
            await send_away(send, self._headers(call, request_id), _why(answer))
            return
        if viewer is None:
            await self._answer(call, Answer(None, 204), send, request_id, began)
            return
        if asked.wait_seconds is not None:
            await self._poll(call, asked, viewer, receive, send, request_id, connection_of(scope))
            return
        self._note(call, 200, began)
        headers = [*self._headers(call, request_id), (b"last-event-id", viewer.owed.place.encode())]
        await Stream(viewer, asked.form, send, connection_of(scope)).run(receive, headers)

    async def _let_in(self, call: _Call) -> tuple[Asked, Viewer | None]:
        """In the order of REST framework's views. None: it has had all that it wants."""
        request = call.request
        holder = cast(Holder, await holder_of(self._authority, call.key))
        who = call.who(holder)
        if (allowance := await limit.count(who)) is not None and allowance.is_exceeded:
            raise Throttled(allowance.seconds)
        asked = asking.read(request.query_params, request.headers, call.channel)
        if asked.wants is not None:
            require_no_stranger(holder)
        for name in asked.channels:
            if (said := await refusal(holder, name)) is not None:
                raise PermissionDenied(said)
        for name in asked.channels:
            await require_channel(name)
        if asked.is_done and not call.is_poll:
            return asked, None
        hub().rights.authority = self._authority
        most = (asked.limit or _POLL_MESSAGES) if call.is_poll else asked.limit
        wanted = Wanted(asked.channels, who, call.key, asked.after, asked.wants, most)
        return asked, await hub().open(wanted)

    async def _poll(
        self,
        call: _Call,
        asked: Asked,
        viewer: Viewer,
        receive: Receive,
        send: Send,
        request_id: str,
        connection: Connection | None,
    ) -> None:
        began = time.perf_counter()
        departure = Departure(receive, lambda: viewer.leave(GONE))
        if connection is not None:
            connection.on_stop = lambda: viewer.leave(RESTART)
        try:
            data = await poll(viewer, asked.wait_seconds or 0.0, asked.limit or _POLL_MESSAGES)
        finally:
            if connection is not None:
                connection.on_stop = None
            departure.close()
            viewer.close()
        if viewer.reason == GONE:
            self._note(call, _GONE, began)
            return
        # What it has been shown before it had to go is its own.
        await self._answer(call, Answer(data, headers=_FRESH), send, request_id, began)

    async def _answer(self, call: _Call, answer: Answer, send: Send, request_id: str, began: float) -> None:
        self._note(call, answer.status, began)
        await call.writer.send(send, answer, {}, is_https=call.is_https, request_id=request_id)

    def _note(self, call: _Call, status: int, began: float) -> None:
        self._count("GET", call.name, status, time.perf_counter() - began)

    def _headers(self, call: _Call, request_id: str) -> RawHeaders:
        return [*self._fixed[call.is_https], (_REQUEST_ID, request_id.encode())]


def _why(answer: Answer) -> str:
    """For people who look at the stream, in one line."""
    said = answer.data.get("detail") if isinstance(answer.data, dict) else None
    return " ".join(str(said or "Come again.").split())


_FRESH: Final = {"Cache-Control": "no-store"}
_REQUEST_ID: Final = logs.HEADER.lower().encode()
