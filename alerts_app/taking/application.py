"""The ASGI application in front of Django: whoever posts an alert is answered here."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings
from django.http import QueryDict
from rest_framework.exceptions import MethodNotAllowed, NotAuthenticated, PermissionDenied

from access_app.remembering import Holder, Remembered
from alerts_app import defaults
from alerts_app.taking import alert
from alerts_app.taking.alert import MOST_BYTES, BadAlert
from channels_app.remembering import KnownChannel
from messages_app.publishing.door import channel, door
from messages_app.publishing.limits import Allowed
from messages_app.publishing.taking import Body, Producer
from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import CONTENT_TYPE, problem_details
from relaybase.http.hot import Answer, Request, Trace, plain
from relaybase.http.hot.answers import AnswerWriter, of_error
from relaybase.http.hot.application import not_valid
from relaybase.http.problems import RETRY_AFTER_SECONDS, Problem
from relaycore.errors import ChannelUnknown, NotTaken
from relaycore.publishing.queue import Share
from relaycore.rights import PUBLISH

log = logging.getLogger(__name__)

PATHS: Final = frozenset({"/api/alerts", "/api/alerts/"})

NAME: Final = "post-alert"
"""What it is counted as."""

DONE: Final = "Event processed successfully"

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name, status, seconds."""

OPEN: Final = (
    "RELAY_ALERTS=open: whoever reaches this process may post alerts at /api/alerts, without a token. "
    "That is for trusted networks."
)
NO_ROOM: Final = "More is being published than this process takes up at once. Try again in a few seconds."
NO_CHANNEL: Final = (
    f'There is no channel "{defaults.INPUT}". POST /api/v1/channels makes it, without `listen`.'
)
NOT_PROPER: Final = (
    "Nothing is answered here under the name by which it was asked for (RELAY_ALLOWED_HOSTS), "
    "or not without HTTPS."
)
OF_ANOTHER_PAGE: Final = "Pages of this origin may not post alerts. RELAY_LIVE_ORIGINS names those that may."
UNEXPECTED: Final = "Something went wrong here, and not with the alert. It is in the log. Try again."

_GONE: Final = 499
_ANYBODY: Final = Producer("alerts", "alerts")
_REQUEST_ID: Final = logs.HEADER.lower().encode()
_NO_PARAMETERS: Final = QueryDict("")


class AlertsDoor:
    """Answers who posts an alert, and hands on everything else.

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
            log.warning(OPEN)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or plain.path_of(scope) not in PATHS:
            await self._otherwise(scope, receive, send)
        elif self._trace is None:
            await self._serve(scope, receive, send)
        else:
            with self._trace(scope["method"], NAME, dict(scope["headers"])) as answered:
                answered(await self._serve(scope, receive, send))

    async def _serve(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> int:
        """Answer; the status."""
        began = time.perf_counter()
        headers = dict(scope["headers"])
        way = plain.way_of(scope, {**headers, b"accept": b"*/*"})
        peer = bodies.peer_of(scope)
        request = Request(scope["method"], headers, _NO_PARAMETERS, receive, MOST_BYTES, peer)
        with logs.within(headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                if not way.is_plain:
                    raise Problem(400, "misdirected", NOT_PROPER)
                if scope["method"] != "POST":
                    raise MethodNotAllowed(scope["method"])
                answer = await self._take(headers, receive, peer, is_https=way.is_https)
            except bodies.Gone:
                return _GONE
            except BadAlert as exc:
                answer = _refused(exc)
            except Exception as exc:
                answer = _of_error(exc, request)
            self._count(scope["method"], NAME, answer.status, time.perf_counter() - began)
            is_https = way.is_https or settings.SECURE_SSL_REDIRECT
            await self._writer.send(send, answer, {}, is_https=is_https, request_id=request_id)
        return answer.status

    async def _take(self, headers: plain.Headers, receive: Receive, peer: str, *, is_https: bool) -> Answer:
        """In the order of other endpoints: who asks, whether he may, what he brings."""
        holder = await self._holder(headers)
        if holder is None:
            _require_no_page(headers, is_https=is_https)
        elif (refusal := holder.refusal(PUBLISH, defaults.INPUT)) is not None:
            raise PermissionDenied(refusal)
        producer = _ANYBODY if holder is None else Producer(holder.who, holder.name)
        share = door().share()
        try:
            body = await _body(headers, receive, peer, share)
            key = alert.key_of(alert.read(body), body, is_known=holder is not None)
            return await _publish(Body("text/plain", body, is_packed=False, key=key), producer, share)
        finally:
            share.give_back()

    async def _holder(self, headers: plain.Headers) -> Holder | None:
        """Who asks; None: anybody may.

        Raises:
            NotAuthenticated, AuthenticationFailed: a token is needed, or that is none.
            Disconnected: nobody can say it now.
        """
        if self._authority is None:
            return None
        if (key := plain.key_of(headers)) is None:
            exc = NotAuthenticated()
            exc.auth_header = "Bearer"  # type: ignore[attr-defined]  # REST framework's views set it so.
            raise exc
        holder = self._authority.known(key) or await self._authority.find(key)
        if holder is None:
            raise not_valid()
        return holder


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


def _require_no_page(headers: plain.Headers, *, is_https: bool) -> None:
    """Nothing, if no browser asks for a page of somebody else.

    Raises:
        PermissionDenied: one does.
    """
    if (origin := headers.get(b"origin")) is None:
        return
    ours = (b"https://" if is_https else b"http://") + headers.get(b"host", b"")
    allowed = settings.RELAY_LIVE_ORIGINS
    if origin != ours and "*" not in allowed and origin.decode("latin-1") not in allowed:
        raise PermissionDenied(OF_ANOTHER_PAGE)


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
