"""The endpoint that an address names, for whoever may do something with it."""

from typing import Any

from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from access_app.permissions import Need
from relaybase.http.parameters import Parameters
from relaycore.errors import EndpointUnknown
from webhooks_app import finding
from webhooks_app.models import Endpoint
from webhooks_app.rights import may, refused


def find(request: Request, need: Need, name: str) -> Endpoint:
    """It, with its owner.

    Whose it is shows only once it was looked up. So whoever may do this with his own alone is told the same,
    whether there is no such endpoint or it is another's: names of others cannot be guessed.

    Raises:
        PermissionDenied: he may not, or there is none.
        EndpointUnknown: he might, and there is none.
    """
    try:
        row = finding.find(name)
    except EndpointUnknown:
        if may(request, need, None):
            raise
        raise refused(need, name) from None
    if not may(request, need, row):
        raise refused(need, name)
    return row


def decided(
    view: GenericAPIView,  # type: ignore[type-arg]
    request: Request,
    need: Need,
    name: str,
) -> tuple[Endpoint, Any]:
    """It, and what the body says. Nothing is said of a body before it is known that he may.

    Raises:
        PermissionDenied, EndpointUnknown: as `find`.
        ParseError, ValidationError: the query or the body is not one that this view takes.
    """
    Parameters(request)
    row = find(request, need, name)
    asked = view.get_serializer(data=request.data)
    asked.is_valid(raise_exception=True)
    return row, asked.validated_data
