"""The ASGI application in front of Django."""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rest_framework.exceptions import AuthenticationFailed, PermissionDenied, Throttled

from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import NOT_VALID
from relaybase.http.hot import limit, plain
from relaybase.http.hot.answers import AnswerWriter, of_error
from relaybase.http.hot.endpoint import WITH_BODY, Answer, Authority, Endpoint, Holder, Trace, Work
from relaybase.http.hot.plain import QUOTED_SLASH
from relaybase.http.hot.request import Request

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name of the endpoint, status, seconds."""

_GONE: Final = 499
"""As proxies write it down when the client went away. Nobody is sent it."""


@dataclass(frozen=True, slots=True)
class _Route:
    endpoint: Endpoint
    matcher: re.Pattern[str]
    works: Mapping[str, Work]
    writer: AnswerWriter


@dataclass(frozen=True, slots=True)
class _Call:
    """A plain request: which function answers it, what the path names, and with which key it came."""

    route: _Route
    work: Work
    named: Mapping[str, str]
    key: str
    request: Request
    is_https: bool
    scope: Mapping[str, Any]


class HotEndpoints:
    """Answers plain requests to hot endpoints, and hands all others on.

    otherwise: Django
    fixed:     what Django's middlewares add to each answer, by whether it came by HTTPS
    count:     counts each request
    trace:     makes a span of each, if there is one
    """

    def __init__(
        self,
        otherwise: Application,
        endpoints: Iterable[Endpoint],
        authority: Authority,
        fixed: Mapping[bool, Mapping[str, str]],
        count: Count,
        trace: Trace | None = None,
    ) -> None:
        self._otherwise = otherwise
        self._authority = authority
        self._count = count
        self._trace = trace
        self._routes = [
            _Route(endpoint, endpoint.matcher(), endpoint.methods(), AnswerWriter(fixed, endpoint.headers()))
            for endpoint in endpoints
        ]

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        call = self._plain_call(scope, receive) if scope["type"] == "http" else None
        if call is None:
            await self._otherwise(scope, receive, send)
        elif self._trace is None:
            await self._serve(call, send)
        else:
            route = call.route.endpoint.route()
            with self._trace(call.request.method, route, call.request.headers) as answered:
                answered(await self._serve(call, send))

    def _plain_call(self, scope: dict[str, Any], receive: Receive) -> _Call | None:
        """What Django need not be asked for; None: it must."""
        found = self._match(scope)
        if found is None:
            return None
        route, work, named = found
        headers = plain.headers_of(scope)
        key = headers and plain.key_of(headers)
        if not headers or not key or b"cookie" in headers:
            return None
        if _has_body(headers) and scope["method"] not in WITH_BODY:
            return None
        way, parameters = plain.way_of(scope, headers), plain.parameters_of(scope["query_string"])
        if parameters is None or not way.is_plain:
            return None
        most, peer = route.endpoint.most_bytes, bodies.peer_of(scope)
        request = Request(scope["method"], headers, parameters, receive, most, peer)
        return _Call(route, work, named, key, request, way.is_https, scope)

    def _match(self, scope: Mapping[str, Any]) -> tuple[_Route, Work, Mapping[str, str]] | None:
        path: str = plain.path_of(scope)
        for route in self._routes:
            work = route.works.get(scope["method"])
            if work is not None and (match := route.matcher.match(path)) is not None:
                named = match.groupdict()
                return route, work, {name: text.replace(QUOTED_SLASH, "/") for name, text in named.items()}
        return None

    async def _serve(self, call: _Call, send: Send) -> int:
        """Answer; the status."""
        began = time.perf_counter()
        name, more = call.route.endpoint.name, dict[str, str]()
        with logs.within(call.request.headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                answer = await self._work(call, more)
            except bodies.Gone:
                return _GONE
            except Exception as exc:
                answer = of_error(exc, call.request, name)
            try:
                self._count(call.request.method, name, answer.status, time.perf_counter() - began)
                writer, is_https, scope = call.route.writer, call.is_https, call.scope
                await writer.send(send, answer, more, is_https=is_https, request_id=request_id, scope=scope)
            finally:
                answer.over()
        return answer.status

    async def _work(self, call: _Call, more: dict[str, str]) -> Answer:
        """In the order of REST framework's views. `more` gets headers that the answer has in any case."""
        endpoint, request = call.route.endpoint, call.request
        if int(request.headers.get(b"content-length", 0)) > endpoint.most_bytes:
            raise bodies.TooMuch(endpoint.most_bytes)
        holder = await holder_of(self._authority, call.key)
        if (refusal := holder.refusal(endpoint.right, call.named.get(endpoint.channel))) is not None:
            raise PermissionDenied(refusal)
        if (allowance := await limit.count(holder.who)) is not None:
            more |= allowance.headers()
            if allowance.is_exceeded:
                raise Throttled(allowance.seconds)
        request.holder = holder
        found = await call.work(request, **call.named)
        return found if isinstance(found, Answer) else Answer(found)


async def holder_of(authority: Authority, key: str) -> Holder:
    """Who has this key: from memory, or else looked up.

    Raises:
        AuthenticationFailed: nobody.
        Disconnected: nobody can say it now.
    """
    holder = authority.known(key) or await authority.find(key)
    if holder is None:
        raise not_valid()
    return holder


def not_valid() -> AuthenticationFailed:
    """What a key that nobody has is answered with."""
    exc = AuthenticationFailed(NOT_VALID)
    exc.auth_header = "Bearer"  # type: ignore[attr-defined]  # REST framework's views set it so.
    return exc


def _has_body(headers: plain.Headers) -> bool:
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


_REQUEST_ID: Final = logs.HEADER.lower().encode()
