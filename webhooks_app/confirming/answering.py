"""What confirms an endpoint: a challenge that is shown, whoever shows it."""

import hashlib
from typing import Final

from django.db import transaction

from access_app import audit
from relaybase.postgres.clock import ClockTimestamp
from relaycore.endpoints.consent import Consent
from relaycore.errors import ChallengeUnknown, EndpointUnknown
from webhooks_app import finding
from webhooks_app.models import LEAST_PER_SECOND, Challenge, Endpoint

CONFIRMED: Final = "It is confirmed."

_UNKNOWN: Final = (
    "This challenge is unknown, has expired, or was for another URL than the endpoint has now. "
    "Have the endpoint asked again."
)


def of(challenge: str) -> Endpoint:
    """The endpoint that this challenge is good for.

    Raises:
        ChallengeUnknown: there is none.
    """
    return _row(challenge)[1]


def confirm(challenge: str, consent: Consent | None = None, *, only: Endpoint | None = None) -> Endpoint:
    """Confirm the endpoint that this was sent to; it, as it is now. Another time changes nothing.

    consent: what it has said besides
    only:    none other than this one

    Raises:
        ChallengeUnknown: nobody was sent this, or it is over.
    """
    with transaction.atomic():
        row, endpoint = _row(challenge)
        if only is not None and endpoint.pk != only.pk:
            raise ChallengeUnknown(_UNKNOWN)
        try:
            endpoint = finding.locked(endpoint)
        except EndpointUnknown:
            raise ChallengeUnknown(_UNKNOWN) from None
        if endpoint.url != row.url:
            raise ChallengeUnknown(_UNKNOWN)
        if endpoint.confirmed_at is None:
            _confirm(endpoint, consent or Consent())
            audit.record("endpoint confirmed", [endpoint.name], how=endpoint.confirmation)
        Challenge.objects.filter(pk=row.pk).update(outcome=CONFIRMED)
    endpoint.refresh_from_db()
    return endpoint


def _confirm(endpoint: Endpoint, consent: Consent) -> None:
    if endpoint.state == Endpoint.State.PENDING:  # One that is disabled stays so until it is enabled.
        endpoint.state, endpoint.reason = Endpoint.State.ACTIVE, ""
    endpoint.confirmed_at = endpoint.updated_at = ClockTimestamp()
    if consent.per_second is not None:
        own = consent.per_second if endpoint.max_per_second is None else endpoint.max_per_second
        endpoint.max_per_second = max(LEAST_PER_SECOND, min(own, consent.per_second))
    endpoint.revision += 1
    endpoint.save(
        update_fields=["state", "reason", "confirmed_at", "updated_at", "max_per_second", "revision"]
    )


def _row(challenge: str) -> tuple[Challenge, Endpoint]:
    digest = hashlib.sha256(challenge.encode("utf-8", "surrogatepass")).digest()
    row = Challenge.objects.filter(digest=digest, expires_at__gt=ClockTimestamp()).first()
    if row is None or row.endpoint is None or row.endpoint.url != row.url:
        raise ChallengeUnknown(_UNKNOWN)
    return row, row.endpoint
