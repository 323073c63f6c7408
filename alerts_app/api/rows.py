"""What rules look like to clients."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.reverse import reverse

from alerts_app.models import Rule
from relaybase.http.addresses import quoted


def address(request: Request, row: Rule) -> str:
    """Where it is."""
    return f"{reverse('rules', request=request)}/{quoted(row.name)}"


def rows(request: Request, found: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as JSON."""
    return [{**_row(row), "address": address(request, row)} for row in found]


def _row(row: Rule) -> dict[str, Any]:
    return {
        "name": row.name,
        "uuid": row.uuid.hex,
        "channel": row.channel.channel,
        "to": row.to.channel,
        "kind": row.kind,
        "settings": row.settings,
        "revision": row.revision,
        "state": row.state,
        "reason": row.reason or None,
        "position": row.position,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
