"""Requests to this web process, counted."""

import functools
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase
from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY = CollectorRegistry()

_REQUESTS = Counter(
    "relay_http_requests",
    "Requests by method, route and status.",
    ["method", "route", "status"],
    registry=REGISTRY,
)
_SECONDS = Histogram(
    "relay_http_request_seconds",
    "How long it took until an answer began.",
    ["method", "route"],
    registry=REGISTRY,
)

_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}


class CountRequests:
    """Middleware. By the name of the route and not by the path, which has no end of values."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        begun = time.perf_counter()
        answer = self._get_response(request)
        route = (request.resolver_match and request.resolver_match.view_name) or "none"
        count(str(request.method), route, answer.status_code, time.perf_counter() - begun)
        return answer


def count(method: str, route: str, status: int, seconds: float) -> None:
    """One request, answered after so many seconds."""
    requests, took = _counted(method if method in _METHODS else "other", route, status)
    requests.inc()
    took.observe(seconds)


@functools.lru_cache(maxsize=1024)
def _counted(method: str, route: str, status: int) -> tuple[Counter, Histogram]:
    # The library looks the labels up each time, which takes as long as to count.
    return _REQUESTS.labels(method, route, str(status)), _SECONDS.labels(method, route)
