"""The subscription that an address names, for whoever may do something with its channel."""

from typing import Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from access_app.permissions import Need, refusal, refusal_everywhere
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


def _refused(need: Need, name: str) -> PermissionDenied:
    return PermissionDenied(
        f'This needs the scope "{need.right}" on the channel of the subscription "{name}", if there is one.'
    )
