"""What a request may do."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.request import Request

from access_app.models import Token


class InScope(IsAuthenticated):
    """Logged in, and if by a token, within its scope."""

    message = f'This token has the scope "{Token.Scope.READ}", which changes nothing.'

    def has_permission(self, request: Request, view: Any) -> bool:
        """Whether the request may go on."""
        if not super().has_permission(request, view):
            return False
        token = request.auth
        return (
            not isinstance(token, Token)
            or request.method in SAFE_METHODS
            or token.scope == Token.Scope.MANAGE
        )
