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

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from rest_framework.exceptions import NotAuthenticated
from rest_framework.renderers import JSONRenderer

from relaybase.http import bodies, problems
from relaybase.http.bodies import Application, Event, Receive, Send
from relaybase.http.details import CONTENT_TYPE, problem_details

Headers = Mapping[bytes, bytes]

Admit = Callable[[Headers], Awaitable[bool]]
"""Whether headers show who sends them. It raises what the API answers to those that are wrong."""


class Admission:
    """The ASGI application in front of `application`.

    admit:   who has shown who he is
    private: what the paths begin with where nothing is answered to strangers
    open:    what those begin with that are excepted from it
    most_bytes: how many a body may have, by the scope of its request, if they are more than `MAX_BODY_BYTES`
    """

    def __init__(
        self,
        application: Application,
        admit: Admit,
        private: str,
        open_to_all: str,
        most_bytes: Callable[[Mapping[str, Any]], int] = lambda scope: 0,
    ) -> None:
        self._most_bytes = most_bytes
        self._application = application
        self._admit = admit
        self._private = private
        self._open_to_all = open_to_all

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A server takes an error for "no such thing here". Django's would be reported at each start.
            raise ValueError(f"Only HTTP is answered here, not {scope['type']}.")
        headers = dict(scope["headers"])
        is_chunked = b"transfer-encoding" in headers
        # Servers have refused a length that is not a number.
        length = int(headers.get(b"content-length", 0))
        if not is_chunked and not length:
            await self._application(scope, receive, send)
            return
        try:
            body = await self._body(scope, receive, None if is_chunked else length)
        except bodies.Gone:
            return
        except bodies.Refused as exc:
            await _refuse(send, problem_details(exc.status, str(exc)), exc.headers)
            return
        except Exception as exc:
            if (answer := problems.answer(exc, {"request": _Stranger()})) is None:
                raise
            wanted = {name: value for name, value in answer.headers.items() if name != "Content-Type"}
            await _refuse(send, answer.data, wanted)
            return
        events: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Event:
            return events.pop() if events else await receive()

        if is_chunked:
            scope = {**scope, "headers": [*scope["headers"], (b"content-length", b"%d" % len(body))]}
        await self._application(scope, replay, send)

    async def _body(self, scope: Mapping[str, Any], receive: Receive, length: int | None) -> bytes:
        """All of it; `length` is None where none is announced."""
        most, crowd = max(bodies.MAX_BODY_BYTES, self._most_bytes(scope)), bodies.OF_THE_KNOWN
        if most > bodies.MAX_BODY_BYTES:
            crowd = bodies.OF_PUBLISHERS
        if length is not None and length > most:
            raise bodies.TooMuch(most)
        peer = bodies.peer_of(scope)
        if length is not None and length <= bodies.MAX_STRANGERS_BODY_BYTES:
            return await bodies.whole(receive, length, peer, bodies.OF_STRANGERS)
        if await self._admit(dict(scope["headers"])):
            return await bodies.whole(receive, most, peer, crowd)
        path: str = scope["path"].removeprefix(scope.get("root_path") or "")
        if path.startswith(self._private) and not path.startswith(self._open_to_all):
            exc = NotAuthenticated()
            exc.auth_header = "Bearer"  # type: ignore[attr-defined]  # REST framework's views set it so.
            raise exc
        most = bodies.MAX_STRANGERS_BODY_BYTES
        if length is not None:
            raise bodies.TooMuch(most)
        return await bodies.whole(receive, most, peer, bodies.OF_STRANGERS)


class _Stranger:
    """What errors are written with: JSON, before anybody has looked at what the client accepts."""

    accepted_renderer: Any = JSONRenderer()


async def _refuse(send: Send, data: Any, more: Mapping[str, str]) -> None:
    body = _renderer.render(data) + b"\n"
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        # What is still on its way is not read.
        (b"connection", b"close"),
        *((name.lower().encode(), value.encode()) for name, value in more.items()),
    ]
    status: int = data["status"]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})


_renderer: Final = JSONRenderer()
