"""The endpoint that an address names, for whoever may do something with it."""

from rest_framework.request import Request

from access_app.permissions import Need
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
