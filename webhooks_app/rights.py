"""Who may do what with an endpoint.

It belongs to its owner, who may do with it what he may do with subscriptions on any channel at all. Others
may the same with every channel and Django's permission on endpoints. Secrets are shown to nobody twice.
"""

from collections.abc import Iterable
from typing import Final

from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from access_app.permissions import Need, refusal, refusal_everywhere
from relaycore.rights import MANAGE, READ
from webhooks_app.models import Endpoint

SEE: Final = Need(READ, "subscribers_app.view_subscription")
MAKE: Final = Need(MANAGE, "subscribers_app.add_subscription")
CHANGE: Final = Need(MANAGE, "subscribers_app.change_subscription")
DELETE: Final = Need(MANAGE, "subscribers_app.delete_subscription")
VOUCH: Final = Need(MANAGE, "subscribers_app.add_subscription")
"""For every channel."""

OTHERS: Final = "webhooks_app.change_endpoint"
"""Django's permission of who decides what is sent to others' endpoints."""

_OF_OTHERS: Final = {
    SEE: Need(READ, "webhooks_app.view_endpoint"),
    MAKE: Need(MANAGE, OTHERS),
    CHANGE: Need(MANAGE, "webhooks_app.change_endpoint"),
    DELETE: Need(MANAGE, "webhooks_app.delete_endpoint"),
}


def may(request: Request, need: Need, row: Endpoint | None) -> bool:
    """Whether he may do this with the endpoint; None: with each that others own."""
    if row is not None and row.owner_id == request.user.pk:
        return refusal(request, need) is None
    return refusal_everywhere(request, _OF_OTHERS[need]) is None


def seen(request: Request, endpoints: Iterable[int]) -> set[int]:
    """Those of these endpoints, by their keys, that he may see. One that was deleted is nobody's own."""
    asked = set(endpoints)
    if refusal_everywhere(request, _OF_OTHERS[SEE]) is None:
        return asked
    if refusal(request, SEE) is not None:
        return set()
    return set(Endpoint.objects.filter(pk__in=asked, owner=request.user.pk).values_list("pk", flat=True))


def refused(need: Need, name: str) -> PermissionDenied:
    """The error of somebody who may not. It says the same whether there is such an endpoint or not."""
    return PermissionDenied(
        f'This needs to be done by the owner of the endpoint "{name}", if there is one, or with the scope '
        f'"{need.right}" on * and the permission "{_OF_OTHERS[need].permission}".'
    )
