"""In front of Django: no body is taken in before it is known whose it is.

Django under ASGI takes a body whole, into a file if it is large, before it asks anybody whether it is
wanted. So here

* a body that is announced as too large is 413, before it is sent;
* one that is more than a form to log in with, or whose length is not announced, needs somebody who has shown
  who he is (`Admit`), by a token or a session. Where everything needs that, a stranger's is 401 at once;
  elsewhere (the admin, logging in) it may have `MAX_STRANGERS_BODY_BYTES`;
* it is taken in within bounds (`bodies.whole`), and handed on with its length: Django REST framework takes
  it for empty otherwise.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from django.http import QueryDict
from django.urls import Resolver404, resolve
from rest_framework.exceptions import NotAuthenticated

from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Event, Receive, Send
from relaybase.http.hot import Answer, Request, plain
from relaybase.http.hot.answers import AnswerWriter, of_error
from relaybase.http.hot.application import Count

Headers = Mapping[bytes, bytes]

Admit = Callable[[Headers], Awaitable[bool]]
"""Whether headers show who sends them. It raises what the API answers to those that are wrong."""


class Admission:
    """The ASGI application in front of `application`.

    admit:   who has shown who he is
    private: what the paths begin with where nothing is answered to strangers
    count:   counts each request that is refused here; `application` counts its own
    most_bytes: how many a body may have, by the scope of its request, if they are more than `MAX_BODY_BYTES`
    """

    def __init__(
        self,
        application: Application,
        admit: Admit,
        private: str,
        count: Count,
        most_bytes: Callable[[Mapping[str, Any]], int] = lambda scope: 0,
    ) -> None:
        self._most_bytes = most_bytes
        self._application = application
        self._admit = admit
        self._private = private
        self._count = count

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A server takes an error for "no such thing here". Django's would be reported at each start.
            raise ValueError(f"Only HTTP is answered here, not {scope['type']}.")
        headers: Headers = dict(scope["headers"])
        is_chunked = b"transfer-encoding" in headers
        # Servers have refused a length that is not a number.
        length = int(headers.get(b"content-length", 0))
        if not is_chunked and not length:
            await self._application(scope, receive, send)
            return
        began = time.perf_counter()
        with logs.within(headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                body = await self._body(scope, headers, receive, None if is_chunked else length)
            except bodies.Gone:
                return
            except Exception as exc:
                route = _route_of(scope)
                answer = of_error(exc, _request(scope, headers, receive), route)
                self._count(scope["method"], route, answer.status, time.perf_counter() - began)
                await _refuse(send, answer, request_id)
                return
        if is_chunked:
            scope = {**scope, "headers": [*scope["headers"], (b"content-length", b"%d" % len(body))]}
        again = _replay(body, receive)
        del body  # Django has a large one in a file.
        await self._application(scope, again, send)

    async def _body(
        self, scope: Mapping[str, Any], headers: Headers, receive: Receive, length: int | None
    ) -> bytes:
        """All of it; `length` is None where none is announced."""
        most, crowd = max(bodies.MAX_BODY_BYTES, self._most_bytes(scope)), bodies.OF_THE_KNOWN
        if most > bodies.MAX_BODY_BYTES:
            crowd = bodies.OF_OTHER_PUBLISHERS
        if length is not None and length > most:
            raise bodies.TooMuch(most)
        peer = bodies.peer_of(scope)
        if length is not None and length <= bodies.MAX_STRANGERS_BODY_BYTES:
            return await bodies.whole(receive, length, peer, bodies.OF_STRANGERS)
        if await self._admit(headers):
            return await bodies.whole(receive, most, peer, crowd)
        path: str = scope["path"].removeprefix(scope.get("root_path") or "")
        if path.startswith(self._private):
            exc = NotAuthenticated()
            exc.auth_header = "Bearer"  # type: ignore[attr-defined]  # REST framework's views set it so.
            raise exc
        most = bodies.MAX_STRANGERS_BODY_BYTES
        if length is not None:
            raise bodies.TooMuch(most)
        return await bodies.whole(receive, most, peer, bodies.OF_STRANGERS)


def _replay(body: bytes, receive: Receive) -> Receive:
    """`receive` again, from the beginning."""
    events: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Event:
        return events.pop() if events else await receive()

    return replay


def _request(scope: Mapping[str, Any], headers: Headers, receive: Receive) -> Request:
    """What errors are written with: JSON, before anybody has looked at what the client accepts."""
    return Request(scope["method"], headers, QueryDict(), receive, 0)


def _route_of(scope: Mapping[str, Any]) -> str:
    """The name under which Django would answer, for counting."""
    try:
        return resolve(plain.path_of(scope)).view_name or "none"
    except Resolver404:
        return "none"


async def _refuse(send: Send, answer: Answer, request_id: str) -> None:
    # What is still on its way is not read.
    await _writer.send(send, answer, {"Connection": "close"}, is_https=False, request_id=request_id)


_writer: Final = AnswerWriter({False: {}}, {})

_REQUEST_ID: Final = logs.HEADER.lower().encode()
