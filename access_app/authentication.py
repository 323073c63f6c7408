"""Who asks: a token for programs, beside Django's session for people."""

from typing import Any

from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from access_app import tokens
from relaybase.http.details import NOT_VALID


class _ByKey(TokenAuthentication):
    def authenticate_credentials(self, key: str) -> tuple[Any, Any]:
        """The user and the token."""
        token = tokens.find(key)
        if token is None:
            raise AuthenticationFailed(NOT_VALID)
        return token.user, token


class BearerAuthentication(_ByKey):
    """`Authorization: Bearer KEY`, as RFC 6750 has it, or `Token KEY`, as DRF has it."""

    keyword = "Bearer"

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        """The user and the token; None if neither word is there."""
        return super().authenticate(request) or _ByKey().authenticate(request)
