"""Who asks: a token for programs, beside Django's session for people."""

from typing import Any

from rest_framework.authentication import TokenAuthentication
from rest_framework.request import Request


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer KEY`, as RFC 6750 has it, or `Token KEY`, as DRF has it."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The user and the token; None if neither word is there."""
        return super().authenticate(request) or TokenAuthentication().authenticate(request)
