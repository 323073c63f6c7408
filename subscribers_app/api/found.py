"""The subscription that an address names, for whoever may do something with its channel."""

from typing import Any, Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request

from access_app.permissions import Need, refusal, refusal_everywhere
from relaybase.http.parameters import Parameters
from relaycore.errors import SubscriptionUnknown
from relaycore.rights import MANAGE, READ
from subscribers_app import registration
from subscribers_app.models import Subscription

SEE: Final = Need(READ, "subscribers_app.view_subscription")
MAKE: Final = Need(MANAGE, "subscribers_app.add_subscription")
CHANGE: Final = Need(MANAGE, "subscribers_app.change_subscription")
DELETE: Final = Need(MANAGE, "subscribers_app.delete_subscription")


def find(request: Request, need: Need, name: str) -> Subscription:
    """It, with its channel.

    Which channel is meant shows only once it was looked up. So whoever may not do this with every channel is
    told the same, whether there is no such subscription or it is not his: names of others cannot be guessed.

    Raises:
        PermissionDenied: he may not, or there is none.
        SubscriptionUnknown: he might, and there is none.
    """
    try:
        row = registration.find(name)
    except SubscriptionUnknown:
        if refusal_everywhere(request, need) is None:
            raise
        raise _refused(need, name) from None
    if refusal(request, need, row.channel.channel) is not None:
        raise _refused(need, name)
    return row


def decided(
    view: GenericAPIView,  # type: ignore[type-arg]
    request: Request,
    name: str,
) -> tuple[Subscription, Any]:
    """It, for whoever may change it, and what the body says: the beginning of all that decides something.

    Nothing is said of a body before it is known that he may.

    Raises:
        PermissionDenied, SubscriptionUnknown: as `find`.
        ParseError, ValidationError: the query or the body is not one that this view takes.
    """
    Parameters(request)
    row = find(request, CHANGE, name)
    asked = view.get_serializer(row, data=request.data)
    asked.is_valid(raise_exception=True)
    return row, asked.validated_data


def _refused(need: Need, name: str) -> PermissionDenied:
    return PermissionDenied(
        f'This needs the scope "{need.right}" on the channel of the subscription "{name}", if there is one.'
    )
