"""How many requests one token, or one user, may send in a minute.

Counted in Redis, so that all web processes count together. Without Redis nobody is refused:
what the API is needed for most is finding out what is wrong.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from relaybase import keys
from relaybase.connections import shared_redis

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left, for how many seconds; `is_exceeded`: this request was one too many."""

    limit: int
    left: int
    seconds: int
    is_exceeded: bool

    @classmethod
    def after(cls, counted: int, limit: int, into: float) -> "Allowance":
        """With the so-manieth request, so many seconds into the window."""
        return cls(limit, max(0, limit - counted), int(WINDOW_SECONDS - into) + 1, counted > limit)

    def headers(self) -> dict[str, str]:
        """RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers)."""
        return {
            "RateLimit-Policy": f'"minute";q={self.limit};w={WINDOW_SECONDS}',
            "RateLimit": f'"minute";r={self.left};t={self.seconds}',
        }


class PerToken(BaseThrottle):
    """DRF's throttle. One of its own is not atomic."""

    _allowance: Allowance | None = None

    def allow_request(self, request: Request, view: Any) -> bool:
        """Whether the request may go on; what is left is remembered for the headers."""
        limit = settings.RELAY_WEB_REQUESTS_PER_MINUTE
        if not limit:
            return True
        window, into = divmod(time.time(), WINDOW_SECONDS)
        try:
            with shared_redis().pipeline(transaction=True) as pipeline:
                key = keys.requests(_who(request), int(window))
                pipeline.incr(key)
                pipeline.expire(key, 2 * WINDOW_SECONDS)
                counted = int(pipeline.execute()[0])
        except redis.RedisError:
            return True
        self._allowance = Allowance.after(counted, limit, into)
        request._request.allowance = self._allowance  # type: ignore[attr-defined]
        return not self._allowance.is_exceeded

    def wait(self) -> float | None:
        """Seconds, for Retry-After."""
        return self._allowance.seconds if self._allowance else None


class TellAllowance:
    """Middleware: the headers of what is left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        answer = self._get_response(request)
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            for name, value in allowance.headers().items():
                answer[name] = value
        return answer


def _who(request: Request) -> str:
    if request.auth is not None:
        return f"token:{request.auth.pk}"
    return f"user:{request.user.pk}"
