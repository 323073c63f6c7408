"""What rules look like to clients."""

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.reverse import reverse

from alerts_app import faring
from alerts_app.faring import Fares
from alerts_app.models import Rule
from relaybase.http.addresses import quoted


def address(request: Request, row: Rule) -> str:
    """Where it is."""
    return f"{reverse('rules', request=request)}/{quoted(row.name)}"


def rows(request: Request, found: Sequence[Rule]) -> list[dict[str, Any]]:
    """Rules as JSON."""
    fare = faring.of_all_if_known(found) or {}
    return [{**row(one, fare.get(one.uuid.hex)), "address": address(request, one)} for one in found]


def row(row: Rule, fares: Fares | None) -> dict[str, Any]:
    """One of them, without its address. fares: None, if nothing is known of that."""
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
        "fares": None if fares is None else fares.as_json(),
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
