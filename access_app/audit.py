"""Writing the audit log. Call it in the transaction of what it tells of."""

from collections.abc import Iterable
from typing import Any

from access_app import actor
from access_app.models import AuditEntry


def record(action: str, targets: Iterable[str], **details: Any) -> None:
    """One entry for each target. No message body and no key belongs into `details`."""
    who = actor.current()
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor=who.name,
            via=who.via,
            address=who.address,
            action=action,
            target=target,
            details=details,
        )
        for target in targets
    )
