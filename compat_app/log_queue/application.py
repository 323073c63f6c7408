"""The ASGI application in front of all others: what is below `/queue` it answers, whatever that is."""

import asyncio
import contextlib
import functools
import logging
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
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import NOT_VALID
from relaybase.http.hot import Answer, Request
from relaybase.http.hot.side_door import NOT_PROPER, Asked, SideDoor
from relaycore.errors import Disconnected, Looped, NotTaken
from relaycore.publishing import producers
from relaycore.publishing.parsing import MOST_BYTES
from relaycore.publishing.queue import Share

log = logging.getLogger(__name__)

PREFIX: Final = "/queue"

_INLINE_BYTES: Final = 32 << 10
"""A larger body is read in a thread."""

NO_SUCH_ADDRESS: Final = "There is no such address, or not with this method."
WITHOUT_KEY: Final = "Send the key of a token: Authorization: Bearer KEY."
OPEN: Final = (
    "RELAY_LOG_QUEUE=open: whoever reaches this process may make topics below %s, produce and consume, "
    "without a token."
)


class LogQueue(SideDoor[Holder]):
    """Answers what is below `PREFIX`, and hands on everything else."""

    def __init__(self, otherwise: Application, authority: Remembered | None, *more: Any) -> None:
        super().__init__(otherwise, authority, *more)
        if authority is None:
            log.warning(OPEN, PREFIX)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _live(receive, send)
        else:
            await super().__call__(scope, receive, send)

    def name_of(self, path: str, method: str) -> str | None:
        """By the action."""
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            return None
        found = _route(path, method)
        return f"log-queue-{'none' if found is None else found[0]}"

    def misdirected(self) -> Exception:
        """As every failure."""
        return Failure(NOT_PROPER)

    async def answer(self, asked: Asked, path: str) -> Answer:
        """What the action says."""
        if (found := _route(path, asked.method)) is None:
            raise Failure(NO_SUCH_ADDRESS)
        return Answer({"status": "success", **await self._work(asked, found[1])})

    def refuse(self, exc: Exception, asked: Asked, path: str) -> Answer:
        """400, but for a webhook in a circle: 508 as at every door, since none of the clients is one."""
        # What is still on its way of a body that was refused is not read.
        more = {"Connection": "close"} if isinstance(exc, bodies.Refused) else {}
        status = 508 if isinstance(exc, Looped) else 400
        return Answer({"status": "failure", "message": text_of(exc)}, status, more)

    async def _work(self, came: Asked, work: Work) -> dict[str, Any]:
        headers, peer, receive = came.headers, came.peer, came.receive
        scope = came.scope
        holder = await self.holder(headers)
        producer = _ANYBODY if holder is None else Producer.client(holder.kind, holder.id, holder.name)
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
            is_gone = functools.partial(_is_gone, request)
            return await work(Call(said, holder, producer, actor, share, came.count_hops(), is_gone))
        finally:
            share.give_back()

    def without_key(self) -> Exception:
        """As every failure."""
        return Failure(WITHOUT_KEY)

    def wrong_key(self) -> Exception:
        """As every failure."""
        return Failure(NOT_VALID)


def _route(path: str, method: str) -> tuple[str, Work] | None:
    """The name of an action, and what does it; None: there is none."""
    return ROUTES.get(path.removeprefix(PREFIX).removesuffix("/"), {}).get(method)


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


_ANYBODY: Final = Producer(producers.LOG_QUEUE, producers.LOG_QUEUE)
_NO_PARAMETERS: Final = QueryDict("")
