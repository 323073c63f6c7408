"""The ASGI application in front of all others: what is below `/queue` it answers, whatever that is."""

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import QueryDict

from access_app.actor import Actor
from access_app.remembering import Holder, Remembered
from compat_app.log_queue import asked
from compat_app.log_queue.actions import NO_ROOM, ROUTES, Call, Work, topics
from compat_app.log_queue.counting import PARTING_SECONDS, counts
from compat_app.log_queue.failures import Failure, text_of
from messages_app.publishing.door import door
from messages_app.publishing.taking import Producer
from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import NOT_VALID
from relaybase.http.hot import Answer, Request, Trace, plain
from relaybase.http.hot.answers import AnswerWriter
from relaycore.errors import Disconnected, NotTaken
from relaycore.publishing.parsing import MOST_BYTES
from relaycore.publishing.queue import Share

log = logging.getLogger(__name__)

PREFIX: Final = "/queue"

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name, status, seconds."""

_GONE: Final = 499
_INLINE_BYTES: Final = 32 << 10
"""A larger body is read in a thread."""

_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})

NO_SUCH_ADDRESS: Final = "There is no such address, or not with this method."
WITHOUT_KEY: Final = "Send the key of a token: Authorization: Bearer KEY."
NOT_PROPER: Final = (
    "Nothing is answered here under the name by which it was asked for (RELAY_ALLOWED_HOSTS), "
    "or not without HTTPS."
)
OPEN: Final = (
    "RELAY_LOG_QUEUE=open: whoever reaches this process may make topics below %s, produce and consume, "
    "without a token."
)


class LogQueue:
    """Answers what is below `PREFIX`, and hands on everything else.

    authority: who knows the keys; None: nobody is asked for one
    fixed:     what every answer has, by whether it came by HTTPS
    """

    def __init__(
        self,
        otherwise: Application,
        authority: Remembered | None,
        fixed: Mapping[bool, Mapping[str, str]],
        count: Count,
        trace: Trace | None = None,
    ) -> None:
        self._otherwise = otherwise
        self._authority = authority
        self._writer = AnswerWriter(fixed, {})
        self._count = count
        self._trace = trace
        if authority is None:
            log.warning(OPEN, PREFIX)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        path = plain.path_of(scope) if scope["type"] == "http" else ""
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            await self._otherwise(scope, receive, send)
            return
        method = scope["method"] if scope["method"] in _METHODS else "other"
        found = ROUTES.get(path.removeprefix(PREFIX).removesuffix("/"), {}).get(method)
        name, work = ("none", None) if found is None else found
        if self._trace is None:
            await self._serve(scope, receive, send, f"log-queue-{name}", work)
            return
        with self._trace(method, f"log-queue-{name}", dict(scope["headers"])) as answered:
            answered(await self._serve(scope, receive, send, f"log-queue-{name}", work))

    async def _serve(
        self, scope: Mapping[str, Any], receive: Receive, send: Send, name: str, work: Work | None
    ) -> int:
        """Answer; the status."""
        began = time.perf_counter()
        headers = dict(scope["headers"])
        way = plain.way_of(scope, {**headers, b"accept": b"*/*"})
        method = scope["method"] if scope["method"] in _METHODS else "other"
        with logs.within(headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                if not way.is_plain:
                    raise Failure(NOT_PROPER)
                if work is None:
                    raise Failure(NO_SUCH_ADDRESS)
                answer = Answer({"status": "success", **await self._work(scope, headers, receive, work)})
            except bodies.Gone:
                return _GONE
            except Exception as exc:
                # What is still on its way of a body that was refused is not read.
                more = {"Connection": "close"} if isinstance(exc, bodies.Refused) else {}
                answer = Answer({"status": "failure", "message": text_of(exc)}, 400, more)
            self._count(method, name, answer.status, time.perf_counter() - began)
            is_https = way.is_https or settings.SECURE_SSL_REDIRECT
            await self._writer.send(send, answer, {}, is_https=is_https, request_id=request_id)
        return answer.status

    async def _work(
        self, scope: Mapping[str, Any], headers: plain.Headers, receive: Receive, work: Work
    ) -> dict[str, Any]:
        holder = await self._holder(headers)
        peer = bodies.peer_of(scope)
        producer = _ANYBODY if holder is None else Producer(holder.who, holder.name)
        via = "log queue" if holder is None else f"token {holder.name}"
        actor = Actor("anybody" if holder is None else holder.name, via, peer)
        share = door().share()
        try:
            most = _most_bytes()
            request = Request(scope["method"], headers, _NO_PARAMETERS, receive, most, peer)
            body = await _body(request, receive, share, most)
            if work is topics:  # Whatever is sent along.
                said = asked.Said({})
            elif len(body) <= _INLINE_BYTES:
                said = asked.read(scope["query_string"], body)
            else:
                said = await asyncio.to_thread(asked.read, scope["query_string"], body)
            return await work(
                Call(said, holder, producer, actor, share, functools.partial(_is_gone, request))
            )
        finally:
            share.give_back()

    async def _holder(self, headers: plain.Headers) -> Holder | None:
        if self._authority is None:
            return None
        if (key := plain.key_of(headers)) is None:
            raise Failure(WITHOUT_KEY)
        holder = self._authority.known(key) or await self._authority.find(key)
        if holder is None:
            raise Failure(NOT_VALID)
        return holder


async def _live(receive: Receive, send: Send) -> None:
    """The life of the process, in which Django has no say. What it has counted is brought before it ends."""
    while (event := (await receive())["type"]) != "lifespan.shutdown":
        await send({"type": f"{event}.complete"})
    try:
        await counts().settle(PARTING_SECONDS)
    except Disconnected:
        log.warning("log queue: PostgreSQL does not answer, so not all that was produced is counted")
    await send({"type": "lifespan.shutdown.complete"})


async def _body(request: Request, receive: Receive, share: Share, most: int) -> bytes:
    """All of it, within the memory that there is for what is published."""

    def grow(size: int) -> None:
        if size > 0 and not share.grow(size):
            raise NotTaken(NO_ROOM)

    if (announced := request.headers.get(b"content-length")) is not None:
        # Taken up before it comes.
        if int(announced) > most:
            if int(announced) <= MOST_BYTES:
                # A client that is still sending would see a broken connection, and no answer.
                await _let_pass(receive)
            raise bodies.TooMuch(most)
        grow(int(announced))
        return await request.body() if int(announced) else b""
    if b"transfer-encoding" not in request.headers:
        return b""
    return await request.body(grow)


async def _is_gone(request: Request) -> bool:
    """Whether the client has gone away by now."""
    gone = asyncio.ensure_future(request.until_gone())
    for _ in range(2):
        await asyncio.sleep(0)
    found = gone.done()
    gone.cancel()
    return found


async def _let_pass(receive: Receive) -> None:
    """A body that nobody keeps."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(bodies.PAUSE_SECONDS):
            while (event := await receive())["type"] == "http.request" and event["more_body"]:
                pass


def _most_bytes() -> int:
    """Of a body: the longest message, as JSON writes it where it escapes everything that is not ASCII."""
    return 3 * settings.RELAY_MESSAGE_MAX_BYTES + _INLINE_BYTES


_ANYBODY: Final = Producer("log queue", "log queue")
_NO_PARAMETERS: Final = QueryDict("")
_REQUEST_ID: Final = logs.HEADER.lower().encode()
