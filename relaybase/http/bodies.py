"""Bodies of requests that are too large are refused before they are taken in.

Django under ASGI takes a body whole, into a file if it is large, before it asks anybody
whether it is wanted. So this stands in front of it.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from relaybase.http.details import CONTENT_TYPE, problem_details

Event = Mapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]

MAX_BODY_BYTES: Final = 1 << 20


class Gone(Exception):
    """The client went away before all of its body had come."""


class TooMuch(Exception):
    """The body has more bytes than it may: so many."""

    def __init__(self, most: int) -> None:
        super().__init__(f"The body may have at most {most} bytes.")


TOO_LARGE: Final = str(TooMuch(MAX_BODY_BYTES))


class BodyLimit:
    """An ASGI application that answers 413 to bodies over `MAX_BODY_BYTES`, and hands on the others.

    By what Content-Length announces. Where nothing is announced (chunked) the body is counted as
    it comes, and handed on with its length: Django REST framework takes it for empty otherwise.
    """

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            # A server takes an error for "no such thing here". Django's would be reported at each start.
            raise ValueError(f"Only HTTP is answered here, not {scope['type']}.")
        headers = dict(scope["headers"])
        # Servers have refused a length that is not a number.
        if int(headers.get(b"content-length", 0)) > MAX_BODY_BYTES:
            await _refuse(send)
        elif b"transfer-encoding" in headers:
            await self._count(scope, receive, send)
        else:
            await self._application(scope, receive, send)

    async def _count(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        try:
            body = await whole(receive, MAX_BODY_BYTES)
        except Gone:
            return
        except TooMuch:
            await _refuse(send)
            return
        events: list[Event] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Event:
            return events.pop() if events else await receive()

        headers = [*scope["headers"], (b"content-length", b"%d" % len(body))]
        await self._application({**scope, "headers": headers}, replay, send)


async def whole(receive: Receive, most: int) -> bytes:
    """The body of a request, taken in as it comes.

    Raises:
        Gone: the client went away before.
        TooMuch: it has more than `most` bytes; what is still on its way is not read.
    """
    body, more = bytearray(), True
    while more:
        event = await receive()
        if event["type"] != "http.request":
            raise Gone
        body += event["body"]
        more = event["more_body"]
        if len(body) > most:
            raise TooMuch(most)
    return bytes(body)


async def _refuse(send: Send) -> None:
    body = json.dumps(problem_details(413, TOO_LARGE)).encode()
    headers = [
        (b"content-type", CONTENT_TYPE.encode()),
        (b"content-length", b"%d" % len(body)),
        # What is still on its way is not read.
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": body, "more_body": False})
