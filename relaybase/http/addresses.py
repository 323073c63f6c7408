"""Addresses of the API: with and without a trailing slash, and with names in them."""

import functools
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, unquote

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, re_path
from rest_framework.request import Request

NAME = r"(?P<name>.+)"
"""The rest of an address as a name. It may have slashes in it, which `%2F` means as well."""


def both(route: str, view: Callable[..., Any], name: str | None = None) -> URLPattern:
    r"""The regular expression `route`, with and without a trailing slash.

    It ends with `\Z`: `$` would let a line break follow, and the name before it be another.
    """
    return re_path(rf"^{route}/?\Z", view, name=name)


def followed(word: str, view: Callable[..., Any], otherwise: Callable[..., Any]) -> Callable[..., Any]:
    """What answers an address with a name that is followed by `word`: `view`.

    There a name is one part of the address, its slashes are `%2F`. An address that is otherwise is that of
    a name which ends with `/` and this word: `otherwise` answers it.
    """

    @functools.wraps(view)
    def answer(request: HttpRequest, name: str) -> HttpResponseBase:
        if _is_one_part(request, name, word):
            return view(request, name=name)  # type: ignore[no-any-return]
        end = "/" if request.path.endswith("/") else ""
        return otherwise(request, name=f"{name}/{word}{end}")  # type: ignore[no-any-return]

    return answer


def _is_one_part(request: HttpRequest, name: str, word: str) -> bool:
    # Servers decode paths; ASGI keeps the original.
    sent: bytes = getattr(request, "scope", {}).get("raw_path") or b""
    if not sent:
        return "/" not in name
    *_, part, last = sent.decode("latin-1").removesuffix("/").split("/")
    return unquote(last) == word and unquote(part) == name


def readings(request: Request, name: str) -> list[str]:
    """The names that an address ending with `name` may mean, the first one first.

    A slash at the end belongs to the name if there is such a name, else it only ends the
    address. One that was sent as `%2F` always belongs to it, so that a client which quotes
    names never reaches another one than it means.
    """
    # Servers decode paths, so that the two look the same by now; ASGI keeps the original.
    sent: bytes = getattr(request._request, "scope", {}).get("raw_path") or b""
    if not name.endswith("/") or sent.lower().endswith(b"%2f"):
        return [name]
    return [name, name[:-1]]


def quoted(name: str) -> str:
    """A name as the last part of an address."""
    # Dots are not quoted as a rule, but clients take these two for steps in the path.
    return quote(name, safe="") if name not in {".", ".."} else name.replace(".", "%2E")
