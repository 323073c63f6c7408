"""Conditions of a request: If-Match and ETag, as RFC 9110 has them."""

import re
from typing import Final

from rest_framework.request import Request

_TAG: Final = re.compile(r'\s*(W/)?"([^"]*)"\s*')


def if_match(request: Request) -> frozenset[str] | None:
    """The tags of which the one of what is to be changed must be one; None: any will do.

    A weak one never matches. What is no tag at all is none either, so nothing is changed then.
    """
    sent = request.headers.get("If-Match")
    if sent is None or sent.strip() == "*":
        return None
    found = map(_TAG.fullmatch, sent.split(","))
    return frozenset(one[2] for one in found if one is not None and not one[1])


NO_STORE: Final = {"Cache-Control": "no-store"}
"""Of an answer with something in it that is shown this once, and that nobody may keep on the way."""


def etag(tag: str) -> dict[str, str]:
    """The header that shows a tag."""
    return {"ETag": f'"{tag}"'}
