"""Pages of other sites: whether they may watch, and what their browsers have to be told (CORS).

A browser says from which page it asks in `Origin`. Who is logged in here is logged in for every page of his
browser, and what a ticket may see is for whom it was given to. So a page of another origin watches only if
`RELAY_LIVE_ORIGINS` names it. The Fetch standard says what is answered.
"""

from collections.abc import Mapping
from typing import Final

from django.conf import settings
from rest_framework.exceptions import PermissionDenied

from relaybase.http.bodies import Event, Send

RawHeaders = list[tuple[bytes, bytes]]

NOT_ALLOWED: Final = "Pages of this origin may not watch here. RELAY_LIVE_ORIGINS names those that may."

ANY: Final = "*"

_ALLOWED: Final[RawHeaders] = [
    (b"access-control-allow-methods", b"GET"),
    (b"access-control-allow-headers", b"Authorization, Last-Event-ID, Cache-Control"),
    (b"access-control-max-age", b"600"),
]


def headers_for(headers: Mapping[bytes, bytes], *, is_https: bool, is_by_cookie: bool) -> RawHeaders:
    """What the answer says to the browser of a page; nothing where it is one of ours, or no page at all.

    is_by_cookie: the browser has sent it by itself, so an origin counts only if it is named

    Raises:
        PermissionDenied: its page may not watch.
    """
    origin = headers.get(b"origin")
    if origin is None or _is_ours(origin, headers, is_https=is_https):
        return []
    found = allowed(origin)
    if found is None or (is_by_cookie and not _is_named(origin)):
        raise PermissionDenied(NOT_ALLOWED)
    return found


def telling(send: Send, told: RawHeaders) -> Send:
    """`send`, with these headers beside those of the answer."""
    if not told:
        return send

    async def with_them(message: Event) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *told]}
        await send(message)

    return with_them


def allowed(origin: bytes) -> RawHeaders | None:
    """What a page of another origin is told; None: it may not watch."""
    if _is_named(origin):
        # With its cookies, if it is of the same site: browsers send them only there.
        told = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]
        return [*told, (b"access-control-expose-headers", b"Last-Event-ID"), (b"vary", b"Origin")]
    return [(b"access-control-allow-origin", b"*")] if ANY in settings.RELAY_LIVE_ORIGINS else None


def preflight(headers: Mapping[bytes, bytes]) -> RawHeaders | None:
    """What a browser is answered that asks whether a page may ask; None: that is none of ours."""
    if headers.get(b"access-control-request-method") != b"GET":
        return None
    found = allowed(headers.get(b"origin", b""))
    return None if found is None else [*found, *_ALLOWED]


def _is_named(origin: bytes) -> bool:
    return origin.decode("latin-1") in settings.RELAY_LIVE_ORIGINS


def _is_ours(origin: bytes, headers: Mapping[bytes, bytes], *, is_https: bool) -> bool:
    scheme = b"https" if is_https else b"http"
    return origin == scheme + b"://" + headers.get(b"host", b"")
