"""Addresses of the API: with and without a trailing slash, and with names in them."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from django.urls import URLPattern, re_path
from rest_framework.request import Request

NAME = r"(?P<name>.+)"
"""The rest of an address as a name. It may have slashes in it, which `%2F` means as well."""


def both(route: str, view: Callable[..., Any], name: str | None = None) -> URLPattern:
    r"""The regular expression `route`, with and without a trailing slash.

    It ends with `\Z`: `$` would let a line break follow, and the name before it be another.
    """
    return re_path(rf"^{route}/?\Z", view, name=name)


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
