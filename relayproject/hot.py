"""The hot endpoints, mounted before Django (`relaybase.http.hot`). A new one is one more in `ENDPOINTS`."""

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.module_loading import import_string

from access_app.admitting import Admitted
from access_app.remembering import Remembered
from alerts_app.taking.application import AlertsDoor
from compat_app.alertmanager.application import Alertmanager
from compat_app.log_queue.application import LogQueue
from live.admitting import Watchers
from live.application import LiveDoor
from live.socketio.application import SocketIO
from messages_app.api.hot import MESSAGE, PUBLISH
from relaybase.http.admission import Admission
from relaybase.http.bodies import Application
from relaybase.http.hot import Endpoint, HotEndpoints, Trace, plain
from relayproject.observing.http import count
from subscribers_app.api.hot import ENDPOINTS as PULL

ENDPOINTS: Final[tuple[Endpoint, ...]] = (MESSAGE, PUBLISH, *PULL)

_SIZES: Final = tuple((one.matcher(), one.functions, one.most_bytes) for one in ENDPOINTS)

_OF_ANY_ANSWER: Final = (
    "relaybase.pages.security.ContentSecurityPolicy",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)
"""The middlewares that add the same to each answer. What the others do is done in `relaybase.http.hot`."""


def admitting(django: Application, remembered: Remembered) -> Admission:
    """An application that hands bodies to `django` once it is known whose they are."""
    return Admission(django, Admitted(remembered), "/api/v1/", count, most_bytes)


def before(django: Application, remembered: Remembered, trace: Trace | None) -> Application:
    """An application that answers what is hot and plain, and who watches; everything else goes to `django`.

    Before all of them stand Socket.IO and, if they are wanted, Alertmanager's API, the log queue and the door
    for alerts: what is below its prefix is the own of each.
    """
    # Where HTTPS is demanded, Django redirects what comes without.
    ways = (True,) if settings.SECURE_SSL_REDIRECT else (False, True)
    fixed = {is_https: _fixed_headers(is_https) for is_https in ways}
    hot = HotEndpoints(django, ENDPOINTS, remembered, fixed, count, trace)
    watchers = Watchers(remembered)
    live = LiveDoor(hot, watchers, fixed, count)
    inner: Application = live
    if settings.RELAY_ALERTS != "off":
        asked = None if settings.RELAY_ALERTS == "open" else remembered
        inner = AlertsDoor(inner, asked, fixed, count, trace)
    if settings.RELAY_LOG_QUEUE != "off":
        asked = remembered if settings.RELAY_LOG_QUEUE == "token" else None
        inner = LogQueue(inner, asked, fixed, count, trace)
    if settings.RELAY_ALERTMANAGER != "off":
        asked = None if settings.RELAY_ALERTMANAGER == "open" else remembered
        inner = Alertmanager(inner, asked, fixed, count, trace)
    return SocketIO(inner, watchers)


def most_bytes(scope: Mapping[str, Any]) -> int:
    """How many bytes the body of a request may have, by its endpoint; 0 if it is none of these."""
    path, method = plain.path_of(scope), scope["method"]
    found = (most for matcher, methods, most in _SIZES if method in methods and matcher.match(path))
    return next(found, 0)


def _fixed_headers(is_https: bool) -> dict[str, str]:
    """What those middlewares add to an empty answer."""
    request = HttpRequest()
    request.META = {"SERVER_NAME": "localhost", "SERVER_PORT": "443" if is_https else "80"}
    request._get_scheme = lambda: "https" if is_https else "http"  # type: ignore[attr-defined]

    def answer(_: HttpRequest) -> HttpResponseBase:
        return HttpResponse()

    for name in reversed(_OF_ANY_ANSWER):
        answer = import_string(name)(answer)
    found = answer(request)
    return {name: value for name, value in found.headers.items() if name != "Content-Type"}
