"""Endpoints by their names."""

from collections.abc import Iterable

from django.db.models import QuerySet

from relaycore.errors import EndpointChanged, EndpointUnknown
from webhooks_app.models import Endpoint


def find(name: str) -> Endpoint:
    """The endpoint of this name, with its owner.

    Raises:
        EndpointUnknown: there is none.
    """
    found = named(name).select_related("owner").first()
    if found is None:
        raise unknown(name)
    return found


def locked(name: str) -> Endpoint:
    """The same, locked."""
    found = named(name).select_related("owner").select_for_update(of=("self",), no_key=True).first()
    if found is None:
        raise unknown(name)
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


def named(name: str) -> QuerySet[Endpoint]:
    """Those of this name: one or none."""
    # PostgreSQL has no text with NUL in it, so nothing can have such a name.
    return Endpoint.objects.filter(name=name.replace("\0", "/"))
