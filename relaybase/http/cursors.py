"""Cursors of lists: where the next page begins, as one word for a URL.

A cursor holds the key of the row that the page lies beside. So a page costs the same
however deep it is, and rows that come or go meanwhile neither shift nor repeat others.
"""

import base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.utils.urls import replace_query_param

from relaybase.http.parameters import Parameters

PARAMETER = "cursor"

M = TypeVar("M", bound=Model)


def encode(key: str) -> str:
    """A cursor. Opaque to clients: what is in it may change."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode(cursor: str) -> str:
    """The key in a cursor.

    Raises:
        ParseError: the API did not give out such a cursor.
    """
    try:
        key = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except ValueError as exc:
        raise bad_cursor() from exc
    if "\0" in key:
        raise bad_cursor()
    return key


def bad_cursor() -> ParseError:
    """The answer to a cursor that the API did not give out."""
    return ParseError(f"This {PARAMETER} is not one that a link of a page gave. Begin again without it.")


def link(request: Request, key: str | None) -> str | None:
    """The address of the page with this key; None where there is none."""
    if key is None:
        return None
    return replace_query_param(request.build_absolute_uri(), PARAMETER, encode(key))


def page_of(
    request: Request,
    parameters: Parameters,
    everything: QuerySet[M],
    key: str,
    shown: Callable[[list[M]], Sequence[Any]],
) -> dict[str, Any]:
    """A page of a list, with how many there are in all.

    everything: in the order of `key`, a column that no two of them share
    shown:      rows as the page has them

    Raises:
        ParseError, ValidationError: the cursor or the limit is not one.
    """
    found = everything
    if (cursor := parameters.text(PARAMETER)) is not None:
        found = found.filter(**{f"{key}__gt": decode(cursor)})
    limit = parameters.limit()
    page = list(found[: limit + 1])
    # What a search has found once is not looked for again, to be counted.
    count = len(page) if cursor is None and len(page) <= limit else everything.count()
    last = getattr(page[limit - 1], key) if len(page) > limit else None
    results = shown(page[:limit])
    return {"count": count, "next": link(request, last), "results": results}
