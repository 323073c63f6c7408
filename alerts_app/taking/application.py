"""The ASGI application in front of Django: whoever posts an alert is answered here."""

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import Any, Final

from django.http import QueryDict
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, PermissionDenied

from access_app.remembering import Holder, Remembered
from alerts_app import defaults
from alerts_app.taking import alert, pages
from alerts_app.taking.alert import MOST_BYTES, BadAlert
from channels_app.remembering import KnownChannel
from messages_app.publishing.door import channel, door
from messages_app.publishing.limits import Allowed
from messages_app.publishing.taking import Body, Producer
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive
from relaybase.http.details import CONTENT_TYPE, problem_details
from relaybase.http.hot import Answer, Request, plain
from relaybase.http.hot.answers import of_error
from relaybase.http.hot.application import not_valid
from relaybase.http.hot.side_door import NOT_PROPER, Asked, SideDoor
from relaybase.http.problems import RETRY_AFTER_SECONDS, Problem
from relaycore.errors import ChannelUnknown, NotTaken
from relaycore.publishing import producers
from relaycore.publishing.queue import Share
from relaycore.rights import PUBLISH

log = logging.getLogger(__name__)

PATHS: Final = frozenset({"/api/alerts", "/api/alerts/"})

NAME: Final = "post-alert"
"""What it is counted as."""

DONE: Final = "Event processed successfully"

OPEN: Final = (
    "RELAY_ALERTS=open: whoever reaches this process may post alerts at /api/alerts, without a token. "
    "That is for trusted networks."
)
NO_ROOM: Final = "More is being published than this process takes up at once. Try again in a few seconds."
NO_CHANNEL: Final = (
    f'There is no channel "{defaults.INPUT}". POST /api/v1/channels makes it, without `listen`.'
)
UNEXPECTED: Final = "Something went wrong here, and not with the alert. It is in the log. Try again."

_ANYBODY: Final = Producer(producers.PEOPLE, producers.PEOPLE)
_NO_PARAMETERS: Final = QueryDict("")


class AlertsDoor(SideDoor[Holder]):
    """Answers who posts an alert, and hands on everything else."""

    def __init__(self, otherwise: Application, authority: Remembered | None, *more: Any) -> None:
        super().__init__(otherwise, authority, *more)
        if authority is None:
            log.warning(OPEN)

    def name_of(self, path: str, method: str) -> str | None:
        """One name for all."""
        return NAME if path in PATHS else None

    def misdirected(self) -> Exception:
        """As problem details."""
        return Problem(400, "misdirected", NOT_PROPER)

    async def answer(self, asked: Asked, path: str) -> Answer:
        """In the order of other endpoints: who asks, whether he may, what he brings."""
        if asked.method == "OPTIONS" and (told := pages.preflight(asked.headers)):
            return Answer(None, 204, told)
        if asked.method != "POST":
            raise MethodNotAllowed(asked.scope["method"])
        return _shown_to_pages(await self._taken(asked), asked)

    async def _taken(self, asked: Asked) -> Answer:
        holder = await self.holder(asked.headers)
        if holder is None:
            pages.require_none(asked.headers, is_https=asked.is_https)
        elif (refusal := holder.refusal(PUBLISH, defaults.INPUT)) is not None:
            raise PermissionDenied(refusal)
        producer = _ANYBODY if holder is None else Producer.client(holder.kind, holder.id, holder.name)
        share = door().share()
        try:
            body = await _body(asked.headers, asked.receive, asked.peer, share)
            key = alert.key_of(alert.read(body), body, is_known=holder is not None)
            said = Body("text/plain", body, is_packed=False, key=key, hops=asked.count_hops())
            return await _publish(said, producer, share)
        finally:
            share.give_back()

    def refuse(self, exc: Exception, asked: Asked, path: str) -> Answer:
        """What is wrong with an alert names its field."""
        if isinstance(exc, BadAlert):
            return _shown_to_pages(_refused(exc), asked)
        method, headers = asked.scope["method"], asked.headers
        request = Request(method, headers, _NO_PARAMETERS, asked.receive, MOST_BYTES, asked.peer)
        return _shown_to_pages(_of_error(exc, request), asked)

    def without_key(self) -> Exception:
        """As REST framework's views have it."""
        exc = NotAuthenticated()
        exc.auth_header = "Bearer"  # type: ignore[attr-defined]
        return exc

    def wrong_key(self) -> Exception:
        """As everywhere."""
        return not_valid()


async def _publish(body: Body, producer: Producer, share: Share) -> Answer:
    """One alert, once it stands on the stream."""
    known, way_in = await _channel(), door()
    taken = None
    try:
        found = await way_in.take(body, known, producer)
        _grow(share, sum(map(len, found.documents)) - share.size)
        allowed = await way_in.allow(known, producer, 1)
        if allowed.seconds:
            return _too_many(allowed)
        await way_in.publish(known, found)
        taken = found
    finally:
        way_in.count(known, producer, taken)
    return Answer(DONE, headers=allowed.headers)


async def _channel() -> KnownChannel:
    """That of alerts, which is made with the rule that reads it if neither ever was.

    Raises:
        Problem: there is none.
        Disconnected: nobody can say it now.
    """
    with contextlib.suppress(ChannelUnknown):
        return await channel(defaults.INPUT)
    await asyncio.to_thread(defaults.lay_in_a_thread)
    try:
        return await channel(defaults.INPUT)
    except ChannelUnknown:
        raise Problem(503, "not-taken", NO_CHANNEL) from None


async def _body(headers: plain.Headers, receive: Receive, peer: str, share: Share) -> bytes:
    """All of it, within the memory that there is for what is published."""
    announced = int(headers.get(b"content-length", 0))
    try:
        if announced > MOST_BYTES:
            raise bodies.TooMuch(MOST_BYTES)
        # What was announced is taken up before it comes, and what was not as it comes.
        _grow(share, announced)
        note = None if announced else lambda size: _grow(share, size)
        return await bodies.whole(receive, MOST_BYTES, peer, bodies.OF_PUBLISHERS, note)
    except bodies.TooMuch:
        if announced <= bodies.MAX_BODY_BYTES:
            # A client that is still sending would see a broken connection, and no answer.
            await _let_pass(receive)
        raise


async def _let_pass(receive: Receive) -> None:
    """What nobody keeps, as much as other requests may have."""
    left = bodies.MAX_BODY_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(bodies.PAUSE_SECONDS):
            while left > 0 and (event := await receive())["type"] == "http.request" and event["more_body"]:
                left -= len(event["body"])


def _grow(share: Share, size: int) -> None:
    if size > 0 and not share.grow(size):
        raise NotTaken(NO_ROOM)


def _shown_to_pages(answer: Answer, asked: Asked) -> Answer:
    told = pages.told(asked.headers)
    return replace(answer, headers={**answer.headers, **told}) if told else answer


def _refused(exc: BadAlert) -> Answer:
    details = problem_details(400, str(exc), "bad-alert", errors={exc.field: [exc.why]})
    return Answer(details, 400, content_type=CONTENT_TYPE)


def _too_many(allowed: Allowed) -> Answer:
    text = f"Too many messages at once. Try again in {allowed.seconds} s."
    headers = {**allowed.headers, "Retry-After": str(allowed.seconds)}
    return Answer(problem_details(429, text, "too-many-messages"), 429, headers, CONTENT_TYPE)


def _of_error(exc: Exception, request: Request) -> Answer:
    """As everywhere else, but what nobody expected: who tells of a danger is to try again."""
    answer = of_error(exc, request, NAME)
    if isinstance(exc, MethodNotAllowed):
        return Answer(answer.data, answer.status, {**answer.headers, "Allow": "POST"}, answer.content_type)
    if answer.status != 500:
        return answer
    details = problem_details(503, UNEXPECTED, "unexpected")
    return Answer(details, 503, {"Retry-After": str(RETRY_AFTER_SECONDS)}, CONTENT_TYPE)
