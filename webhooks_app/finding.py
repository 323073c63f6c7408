"""Endpoints by their names, or the very ones that somebody has looked at.

What was decided by a row is done to that row: another one may have its name by then, of another owner.
"""

from collections.abc import Iterable

from django.db.models import QuerySet

from relaycore.errors import EndpointChanged, EndpointUnknown
from webhooks_app.models import Endpoint

Which = str | Endpoint
"""An endpoint by its name, or this one and no other."""


def find(name: str) -> Endpoint:
    """The endpoint of this name, with its owner.

    Raises:
        EndpointUnknown: there is none.
    """
    found = named(name).select_related("owner").first()
    if found is None:
        raise unknown(name)
    return found


def locked(which: Which) -> Endpoint:
    """The same, locked. Whoever locks its subscriptions as well locks it before them, and these by their ids.

    Raises:
        EndpointUnknown: there is none, or it is gone.
    """
    found = _meant(which).select_related("owner").select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise unknown(str(which))
    return found


def unknown(name: str) -> EndpointUnknown:
    """The error for an endpoint that is not there."""
    return EndpointUnknown(f'There is no endpoint "{name}".')


def require_unchanged(row: Endpoint, tags: Iterable[str] | None) -> None:
    """Nothing, if it has one of these tags.

    Raises:
        EndpointChanged: it has not.
    """
    if tags is not None and row.tag not in tags:
        raise EndpointChanged(f'The endpoint "{row}" has been changed meanwhile. Look at it again.')


def _meant(which: Which) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(pk=which.pk) if isinstance(which, Endpoint) else named(which)


def named(name: str) -> QuerySet[Endpoint]:
    """Those of this name: one or none."""
    # PostgreSQL has no text with NUL in it, so nothing can have such a name.
    return Endpoint.objects.filter(name=name.replace("\0", "/"))
