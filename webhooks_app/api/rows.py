"""What endpoints look like to clients."""

from collections.abc import Sequence
from typing import Any

from django.db.models import Count
from rest_framework.request import Request
from rest_framework.reverse import reverse

from relaybase.http.addresses import quoted
from relaycore.errors import CannotDecrypt, NoEncryptionKey
from relaycore.times import from_milliseconds
from webhooks_app import keeping, trusting
from webhooks_app.models import Challenge, Endpoint, EndpointSecret


def address(request: Request, row: Endpoint) -> str:
    """Where it is."""
    return f"{reverse('endpoints', request=request)}/{quoted(row.name)}"


def rows(request: Request, found: Sequence[Endpoint]) -> list[dict[str, Any]]:
    """Endpoints as JSON. Of headers the names, of secrets the public part alone."""
    numbers = [row.pk for row in found]
    counted = Endpoint.objects.filter(pk__in=numbers).annotate(hooks=Count("webhooks"))
    subscriptions = dict(counted.values_list("pk", "hooks"))
    secrets: dict[int, list[EndpointSecret]] = {}
    for secret in EndpointSecret.objects.signing().filter(endpoint__in=numbers):
        secrets.setdefault(secret.endpoint_id, []).append(secret)
    newest = Challenge.objects.filter(endpoint__in=numbers).order_by("endpoint_id", "-asked_at", "-pk")
    asked = {one.endpoint_id: one for one in newest.distinct("endpoint_id")}
    return [
        _row(row, secrets.get(row.pk, []), asked.get(row.pk))
        | {"subscriptions": subscriptions.get(row.pk, 0), "address": address(request, row)}
        for row in found
    ]


def _row(row: Endpoint, secrets: Sequence[EndpointSecret], asked: Challenge | None) -> dict[str, Any]:
    return {
        "id": row.pk,
        "name": row.name,
        "owner": row.owner.get_username(),
        "url": row.url,
        "header_names": _header_names(row),
        "signatures": [_secret(one) for one in secrets],
        "confirmation": row.confirmation,
        "confirmed_at": row.confirmed_at,
        "challenge": asked and _challenge(asked),
        "state": row.state,
        "reason": row.reason or None,
        "trouble": keeping.unreadable(row, secrets) or None,
        "timeout_seconds": row.timeout_seconds,
        "max_concurrency": row.max_concurrency,
        "max_per_second": row.max_per_second,
        "tls": trusting.shown(row),
        "breaker": row.breaker,
        "breaker_until": from_milliseconds(row.breaker_until) if row.breaker_until else None,
        "failing_since": from_milliseconds(row.failing_since) if row.failing_since else None,
        "last_status": row.last_status,
        "last_failure": row.last_failure or None,
        "last_attempt_at": row.last_attempt_at,
        "last_success_at": row.last_success_at,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }


def _secret(one: EndpointSecret) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "public": one.public or None,
        "created_at": one.created_at,
        "ends_at": one.ends_at,
    }


def _challenge(one: Challenge) -> dict[str, Any]:
    return {"asked_at": one.asked_at, "expires_at": one.expires_at, "outcome": one.outcome or None}


def _header_names(row: Endpoint) -> list[str] | None:
    """None: they cannot be read."""
    try:
        return sorted(keeping.headers_of(row.headers))
    except (NoEncryptionKey, CannotDecrypt):
        return None
