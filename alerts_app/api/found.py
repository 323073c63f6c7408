"""The rule that an address names, and what the body says."""

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from access_app.permissions import Need
from alerts_app.models import Rule
from alerts_app.rights import find
from relaybase.http.parameters import Parameters


def decided(
    view: GenericAPIView,  # type: ignore[type-arg]
    request: Request,
    need: Need,
    name: str,
) -> tuple[Rule, Any]:
    """Both. Nothing is said of a body before it is known that he may.

    Raises:
        PermissionDenied, RuleUnknown: as `find`.
        ParseError, ValidationError: the query or the body is not one that this view takes.
    """
    Parameters(request)
    row = find(request, need, name)
    asked = view.get_serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return row, asked.validated_data
