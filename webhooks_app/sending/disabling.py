"""A sender that disables an endpoint: it is gone, or it has taken nothing for days."""

from django.db import transaction
from django.db.models import F

from access_app import audit
from relaybase.postgres.clock import ClockTimestamp
from webhooks_app.models import Endpoint


def disable(endpoint: int, revision: int, reason: str) -> bool:
    """Disable it, if it is still as it was when that was found; whether it was.

    Its subscriptions lose nothing: their cursors wait.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic():
        row = Endpoint.objects.filter(pk=endpoint, revision=revision, state=Endpoint.State.ACTIVE)
        changed = row.update(
            state=Endpoint.State.DISABLED,
            reason=reason,
            revision=F("revision") + 1,
            updated_at=ClockTimestamp(),
        )
        if changed:
            name = Endpoint.objects.values_list("name", flat=True).get(pk=endpoint)
            audit.record("endpoint disabled", [name], reason=reason)
    return bool(changed)
