"""Pages in browsers: whose may post alerts, and what their browsers have to be told (CORS).

A browser says from which page it asks in `Origin`. Where no token is asked for, a page of another site is
nobody, unless `RELAY_LIVE_ORIGINS` names its origin: its reader did not mean to post anything. What is named
is told so, else its browser would neither send JSON nor show the answer to it. Cookies play no part.
"""

from collections.abc import Mapping
from typing import Final

from django.conf import settings
from rest_framework.exceptions import PermissionDenied

from relaybase.http.hot import plain

OF_ANOTHER: Final = "Pages of this origin may not post alerts. RELAY_LIVE_ORIGINS names those that may."

_ANY: Final = "*"
_MAY: Final[Mapping[str, str]] = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type",
    "Access-Control-Max-Age": "600",
}


def require_none(headers: plain.Headers, *, is_https: bool) -> None:
    """Nothing, if no browser asks for a page of somebody else.

    Raises:
        PermissionDenied: one does.
    """
    if (origin := headers.get(b"origin")) is None:
        return
    ours = (b"https://" if is_https else b"http://") + headers.get(b"host", b"")
    if origin != ours and not told(headers):
        raise PermissionDenied(OF_ANOTHER)


def told(headers: plain.Headers) -> dict[str, str]:
    """What an answer says to the browser of a page that may ask; nothing to any other."""
    origin = headers.get(b"origin", b"").decode("latin-1")
    if not origin:
        return {}
    if origin in settings.RELAY_LIVE_ORIGINS:
        return {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
    return {"Access-Control-Allow-Origin": _ANY} if _ANY in settings.RELAY_LIVE_ORIGINS else {}


def preflight(headers: plain.Headers) -> dict[str, str]:
    """What a browser is answered that asks whether a page may post; nothing: it may not, or does not ask."""
    if headers.get(b"access-control-request-method") != b"POST":
        return {}
    found = told(headers)
    return {**found, **_MAY} if found else {}
