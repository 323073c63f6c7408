"""The ASGI application in front of all others: what is below `/alertmanager` it answers, whatever that is."""

import base64
import binascii
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.conf import settings

from access_app.actor import Actor
from access_app.remembering import Holder, Remembered
from alerts_app.receiving.keeping import keeper
from alerts_app.receiving.telling import CHANNEL
from compat_app.alertmanager.calls import CALLS, MOST_BODY_BYTES, Call, Known
from compat_app.alertmanager.failures import Failure, answer_to
from compat_app.alertmanager.filters import Query
from relaybase import logs
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import NOT_VALID
from relaybase.http.hot import Answer, Trace, plain
from relaybase.http.hot.answers import AnswerWriter
from relaycore.rights import READ

log = logging.getLogger(__name__)

PREFIX: Final = "/alertmanager"
API: Final = PREFIX + "/api/v2"

Count = Callable[[str, str, int, float], None]
"""Counts a request: method, name, status, seconds."""

_GONE: Final = 499
_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_REQUEST_ID: Final = logs.HEADER.lower().encode()

NO_SUCH_ADDRESS: Final = "There is no such address."
WITHOUT_KEY: Final = (
    "Send the key of a token: as the password of Basic, whatever the name, or Authorization: Bearer KEY."
)
NOT_PROPER: Final = (
    "Nothing is answered here under the name by which it was asked for (RELAY_ALLOWED_HOSTS), "
    "or not without HTTPS."
)
OF_A_PAGE: Final = "Pages may not post alerts nor silence them where no token is asked for."
OPEN: Final = (
    "RELAY_ALERTMANAGER=open: whoever reaches this process may post alerts and silence them below %s, "
    "without a token."
)


class Alertmanager:
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
        # From the first event on, whatever it is: what has ended is not to wait for a sender.
        keeper().begin()
        path = plain.path_of(scope) if scope["type"] == "http" else ""
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            await self._otherwise(scope, receive, send)
            return
        found, id = _calls(path)
        method = scope["method"] if scope["method"] in _METHODS else "other"
        known = found.get(method)
        name = f"alertmanager-{'none' if known is None else known.name}"
        if self._trace is None:
            await self._serve(scope, receive, send, name, found, id)
            return
        with self._trace(method, name, dict(scope["headers"])) as answered:
            answered(await self._serve(scope, receive, send, name, found, id))

    async def _serve(
        self,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        name: str,
        found: Mapping[str, Known],
        id: str,
    ) -> int:
        """Answer; the status."""
        began = time.perf_counter()
        headers = dict(scope["headers"])
        way = plain.way_of(scope, {**headers, b"accept": b"*/*"})
        method = scope["method"] if scope["method"] in _METHODS else "other"
        with logs.within(headers.get(_REQUEST_ID, b"").decode("latin-1")) as request_id:
            try:
                if not way.is_plain:
                    raise Failure(400, NOT_PROPER)
                answer = Answer(await self._work(scope, headers, receive, _the(found, method), id))
            except bodies.Gone:
                return _GONE
            except Exception as exc:
                answer = _refusal(exc, found)
            self._count(method, name, answer.status, time.perf_counter() - began)
            is_https = way.is_https or settings.SECURE_SSL_REDIRECT
            await self._writer.send(send, answer, {}, is_https=is_https, request_id=request_id)
        return answer.status

    async def _work(
        self, scope: Mapping[str, Any], headers: plain.Headers, receive: Receive, known: Known, id: str
    ) -> Any:
        peer = bodies.peer_of(scope)
        holder = await self._holder(headers)
        if holder is None and known.right != READ and b"origin" in headers:
            # A browser's page comes from wherever its reader has been.
            raise Failure(403, OF_A_PAGE)
        if holder is not None and (refusal := holder.refusal(known.right, CHANNEL)) is not None:
            raise Failure(403, refusal)
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        body = b""
        if has_body and scope["method"] == "POST":
            body = await bodies.whole(receive, MOST_BODY_BYTES, peer, bodies.OF_THE_KNOWN)
        who = "anybody" if holder is None else holder.name
        actor = Actor(who, "alertmanager" if holder is None else f"token {who}", peer)
        return await known.work(Call(Query(scope["query_string"]), body, actor, id))

    async def _holder(self, headers: plain.Headers) -> Holder | None:
        if self._authority is None:
            return None
        if (key := key_of(headers)) is None:
            raise Failure(401, WITHOUT_KEY)
        holder = self._authority.known(key) or await self._authority.find(key)
        if holder is None:
            raise Failure(401, NOT_VALID)
        return holder


def key_of(headers: plain.Headers) -> str | None:
    """The key of a token, a bearer's or the password of Basic; None if there is none."""
    scheme, _, rest = headers.get(b"authorization", b"").partition(b" ")
    if scheme.lower() != b"basic":
        return plain.key_of(headers)
    try:
        _, colon, password = base64.b64decode(rest.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        return None
    return password if colon and password else None


def _calls(path: str) -> tuple[Mapping[str, Known], str]:
    """What is at this path, by method, and the id in it."""
    rest = path.removeprefix(API) if path.startswith(API) else ""
    if (found := CALLS.get(rest.rstrip("/"))) is not None:
        return found, ""
    head, slash, id = rest.rpartition("/")
    return (CALLS[head + slash], id) if id and head + slash in CALLS else ({}, "")


def _the(found: Mapping[str, Known], method: str) -> Known:
    if not found:
        raise Failure(404, NO_SUCH_ADDRESS)
    if method not in found:
        raise Failure(405, f"Only {', '.join(sorted(found))} here.")
    return found[method]


def _refusal(exc: Exception, found: Mapping[str, Known]) -> Answer:
    status, text = answer_to(exc)
    headers = {
        401: {"WWW-Authenticate": 'Basic realm="relay"'},
        405: {"Allow": ", ".join(sorted(found))},
        503: {"Retry-After": "5"},
    }.get(status, {})
    if isinstance(exc, bodies.Refused):
        # What is still on its way of a body that was refused is not read.
        headers = {**exc.headers, "Connection": "close"}
    return Answer(text, status, headers)
