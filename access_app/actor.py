"""Who is at work: the request that is being answered, or else the user of a command."""

import getpass
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.http import HttpRequest, HttpResponseBase

_request: ContextVar[HttpRequest | None] = ContextVar("request", default=None)
_other: ContextVar["Actor | None"] = ContextVar("actor", default=None)


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


@contextmanager
def acting(actor: Actor) -> Iterator[None]:
    """Whatever is done meanwhile is done by him: where neither a view nor a command is at work."""
    held = _other.set(actor)
    try:
        yield
    finally:
        _other.reset(held)


def current() -> Actor:
    """Who is at work here and now."""
    if (other := _other.get()) is not None:
        return other
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
