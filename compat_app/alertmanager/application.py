"""The ASGI application in front of all others: what is below `/alertmanager` it answers, whatever that is."""

import base64
import binascii
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from access_app.actor import Actor
from access_app.remembering import Holder, Remembered
from alerts_app.receiving.channel import CHANNEL
from alerts_app.receiving.keeping import keeper
from compat_app.alertmanager.calls import CALLS, MOST_BODY_BYTES, Call, Known
from compat_app.alertmanager.failures import Failure, answer_to
from compat_app.alertmanager.filters import Query
from compat_app.alertmanager.managing import PAGES
from relaybase.http import bodies
from relaybase.http.bodies import Application, Receive, Send
from relaybase.http.details import NOT_VALID
from relaybase.http.hot import Answer, plain
from relaybase.http.hot.side_door import NOT_PROPER, Asked, SideDoor
from relaycore.rights import READ

log = logging.getLogger(__name__)

PREFIX: Final = "/alertmanager"
API: Final = PREFIX + "/api/v2"

_LOOKS: Final = ("GET", "HEAD")
_TEXT: Final = "text/plain; charset=utf-8"

NO_SUCH_ADDRESS: Final = "There is no such address."
WITHOUT_KEY: Final = (
    "Send the key of a token: as the password of Basic, whatever the name, or Authorization: Bearer KEY."
)
OF_A_PAGE: Final = "Pages may not post alerts nor silence them where no token is asked for."
OPEN: Final = (
    "RELAY_ALERTMANAGER=open: whoever reaches this process may post alerts and silence them below %s, "
    "without a token."
)


class Alertmanager(SideDoor[Holder]):
    """Answers what is below `PREFIX`, and hands on everything else."""

    def __init__(self, otherwise: Application, authority: Remembered | None, *more: Any) -> None:
        super().__init__(otherwise, authority, *more)
        if authority is None:
            log.warning(OPEN, PREFIX)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        # From the first event on, whatever it is: what has ended is not to wait for a sender.
        keeper().begin()
        await super().__call__(scope, receive, send)

    def name_of(self, path: str, method: str) -> str | None:
        """By the call."""
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            return None
        if (page := _page(path)) is not None:
            return f"alertmanager-{page.__name__}"
        known = _calls(path)[0].get(method)
        return f"alertmanager-{'none' if known is None else known.name}"

    def misdirected(self) -> Exception:
        """As a bare string."""
        return Failure(400, NOT_PROPER)

    async def answer(self, asked: Asked, path: str) -> Answer:
        """What the call says."""
        if (page := _page(path)) is not None:
            if asked.method not in _LOOKS:
                raise Failure(405, "Only GET here.")
            return Answer(await page(), content_type=_TEXT)
        found, id = _calls(path)
        return Answer(await self._work(asked, _the(found, asked.method), id))

    def refuse(self, exc: Exception, asked: Asked, path: str) -> Answer:
        """A bare string, and what the status asks for."""
        if _page(path) is None:
            return _refusal(exc, _calls(path)[0])
        refusal = _refusal(exc, ["GET"])
        return replace(refusal, data=str(refusal.data).encode(), content_type=_TEXT)

    async def _work(self, asked: Asked, known: Known, id: str) -> Any:
        headers = asked.headers
        holder = await self.holder(headers)
        if holder is None and known.right != READ and b"origin" in headers:
            # A browser's page comes from wherever its reader has been.
            raise Failure(403, OF_A_PAGE)
        if holder is not None and (refusal := holder.refusal(known.right, CHANNEL)) is not None:
            raise Failure(403, refusal)
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        body = b""
        if has_body and asked.method == "POST":
            body = await bodies.whole(asked.receive, MOST_BODY_BYTES, asked.peer, bodies.OF_THE_KNOWN)
        # Alerts are told of in a form that is not taken here: only another one's program closes a circle, and
        # one that passes the header on is refused. So the number is not kept with them.
        asked.count_hops()
        who = "anybody" if holder is None else holder.name
        actor = Actor(who, "alertmanager" if holder is None else f"token {who}", asked.peer)
        return await known.work(Call(Query(asked.scope["query_string"]), body, actor, id))

    def key_of(self, headers: plain.Headers) -> str | None:
        """A bearer's, or the password of Basic."""
        return key_of(headers)

    def without_key(self) -> Exception:
        """It is asked for."""
        return Failure(401, WITHOUT_KEY)

    def wrong_key(self) -> Exception:
        """So is another one."""
        return Failure(401, NOT_VALID)


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


def _page(path: str) -> Callable[[], Awaitable[bytes]] | None:
    """What is at this path for those who watch it."""
    return PAGES.get(path.removeprefix(PREFIX))


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


def _refusal(exc: Exception, found: Iterable[str]) -> Answer:
    """`found`: the methods that there are."""
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
