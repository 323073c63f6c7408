"""Who is at work: the request that is being answered, or else the user of a command."""

import getpass
import os
import sys
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)


@dataclass(frozen=True, slots=True)
class Actor:
    """A name, how it came in (the name of a token, "session", a command), and from which address."""

    name: str
    via: str
    address: str = ""


class RememberRequest:
    """Middleware."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        held = _request.set(request)
        try:
            return self._get_response(request)
        finally:
            _request.reset(held)


def current() -> Actor:
    """Who is at work here and now."""
    request: Any = _request.get()
    if request is None:
        return Actor(_account(), f"command {Path(sys.argv[0]).name} {' '.join(sys.argv[1:2])}".strip()[:80])
    # REST framework sets both on the request that it wraps.
    token = getattr(request, "auth", None)
    via = f"token {token}" if token is not None else "session"
    return Actor(str(getattr(request, "user", "")) or "nobody", via, request.META.get("REMOTE_ADDR") or "")


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"  # A container may know the number only.
