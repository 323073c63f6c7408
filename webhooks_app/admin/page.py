"""What the page of one endpoint says, for a person. Of secrets and headers no value."""

from datetime import datetime
from typing import Any, Final

from django.utils import timezone
from pymongo.errors import PyMongoError

from relaycore.errors import CannotDecrypt, NoEncryptionKey
from relaycore.sending.failing import Failing
from relaycore.times import from_milliseconds
from webhooks_app import attempts, keeping, trusting
from webhooks_app.admin import chart
from webhooks_app.models import Endpoint, EndpointSecret

MOST: Final = 20
"""Subscriptions that are named."""

MOST_DRAWN: Final = 5000
"""Attempts that are looked at for the pictures."""


def facts(row: Endpoint) -> dict[str, Any]:
    """For the template."""
    secrets = list(EndpointSecret.objects.signing().filter(endpoint=row))
    hooks = row.webhooks.select_related("subscription__channel").order_by("subscription__name")
    return {
        "row": row,
        "asked": row.challenges.order_by("-asked_at", "-pk").first(),
        "header_names": header_names(row),
        "secrets": secrets,
        "trouble": keeping.unreadable(row, secrets),
        "hooks": list(hooks[:MOST]),
        "hooks_count": hooks.count(),
        "failing_since": row.failing_since and from_milliseconds(row.failing_since),
        "ends_at": _ends_at(row),
        "certificate_ends": trusting.expires_at(row),
        "breaker_until": row.breaker_until and from_milliseconds(row.breaker_until),
        "answer": answer(row),
        **_drawn(row),
        "most": MOST,
    }


def _ends_at(row: Endpoint) -> datetime | None:
    """When Relay disables it, if it goes on failing; None: it is not failing, or nothing is sent to it."""
    ends_at = Failing(row.failing_since, row.failed_at).ends_at
    return None if ends_at is None or row.state != Endpoint.State.ACTIVE else from_milliseconds(ends_at)


def _drawn(row: Endpoint) -> dict[str, Any]:
    """What became of the last attempts. A server that does not answer leaves a gap."""
    now = timezone.now()
    try:
        found = attempts.glimpses(row.pk, now - chart.SLOTS * chart.SLOT, MOST_DRAWN)
    except PyMongoError:
        return {"is_log_away": True}
    points = [
        chart.Point(one.at, one.status is not None and 200 <= one.status < 300, one.seconds) for one in found
    ]
    return {"chart": chart.draw(points, now), "is_cut": len(found) == MOST_DRAWN, "most_drawn": MOST_DRAWN}


def _is_good(status: int | None) -> bool:
    return status is not None and 200 <= status < 300


def header_names(row: Endpoint) -> list[str] | None:
    """Those that its owner has chosen; None: they cannot be read."""
    try:
        return sorted(keeping.headers_of(row.headers))
    except (NoEncryptionKey, CannotDecrypt):
        return None


def answer(row: Endpoint) -> str:
    """What came of the last attempt."""
    if row.last_attempt_at is None:
        return "never tried"
    return str(row.last_status) if row.last_status else row.last_failure or "no answer"
