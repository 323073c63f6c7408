"""Asking an endpoint, and what its answer means. It is told to nobody but as one of a few sentences."""

import hashlib
import json
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Final

from access_app.actor import Actor, acting
from relaybase.postgres.clock import ClockTimestamp
from relaycore.endpoints.consent import Consent, allowed, echoes
from relaycore.errors import ChallengeUnknown, RelayError, one_line
from relaycore.outbound import urls
from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer
from relaycore.sending.signing import Signer
from webhooks_app import addresses, keeping, trusting
from webhooks_app.confirming import answering, asking
from webhooks_app.http.once import ask as ask_once
from webhooks_app.http.target import Target
from webhooks_app.models import Challenge, Endpoint

log = logging.getLogger(__name__)

Ask = Callable[[Target, Sequence[tuple[bytes, bytes]], bytes, Allowed], Answer]

TYPE: Final = "relay.confirmation"

_WITHOUT: Final = "It has answered, but not with the challenge."
_MOVED: Final = "It has another URL since it was asked."
_REFUSED: Final = "It has answered, and does not allow it."


def request(number: int, ask: Ask = ask_once) -> None:
    """Ask as this row says, unless it is over. Whatever comes of it stands in the row, or has confirmed."""
    pending = Challenge.objects.filter(pk=number, outcome="", expires_at__gt=ClockTimestamp())
    row = pending.select_related("endpoint").filter(endpoint__state=Endpoint.State.PENDING).first()
    if row is None or row.endpoint is None or row.endpoint.url != row.url:
        return
    challenge = secrets.token_urlsafe(32)
    row.digest = hashlib.sha256(challenge.encode()).digest()
    row.save(update_fields=["digest"])
    try:
        outcome, consent = _asked(row.endpoint, challenge, ask)
        if consent is not None:
            with acting(Actor(row.endpoint.name, "its answer")):
                answering.confirm(challenge, consent)
            return
    except ChallengeUnknown:
        outcome = _MOVED
    except RelayError as exc:
        log.warning("an endpoint cannot be asked for its confirmation: %s", one_line(exc))
        outcome = "It was not asked: see the log of the worker."
    Challenge.objects.filter(pk=number, outcome="").update(outcome=outcome)


def _asked(endpoint: Endpoint, challenge: str, ask: Ask) -> tuple[str, Consent | None]:
    by_options = endpoint.confirmation == Endpoint.Confirmation.OPTIONS
    url = urls.read(endpoint.url)
    # Without the headers of the owner, who need not be whoever gets this. His certificate is no secret, and
    # where one is asked for nobody is heard without it.
    method = "OPTIONS" if by_options else "POST"
    target = Target(url, endpoint.timeout_seconds, tls=trusting.context_of(endpoint), method=method)
    head, body = _by_options(endpoint, challenge) if by_options else _by_challenge(endpoint, challenge)
    answer = ask(target, head, body, addresses.networks())
    if answer.failure is not None:
        return f"It could not be asked: {answer.failure.value}.", None
    if by_options:
        return _REFUSED, allowed(answer.headers, asking.origin())
    return _WITHOUT, Consent() if echoes(answer.status, answer.body, challenge) else None


def _by_challenge(endpoint: Endpoint, challenge: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    said = {"type": TYPE, "challenge": challenge, "url": asking.link(challenge)}
    body = json.dumps({name: value for name, value in said.items() if value is not None}).encode()
    signer = Signer(keeping.signing(endpoint))
    signed = signer.headers(f"confirmation-{secrets.token_hex(12)}", int(time.time()), body)
    return [(b"content-type", b"application/json"), *signed], body


def _by_options(endpoint: Endpoint, challenge: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    head = [(b"webhook-request-origin", asking.origin().encode())]
    if endpoint.max_per_second is not None:
        per_minute = max(1, round(endpoint.max_per_second * 60))
        head.append((b"webhook-request-rate", str(per_minute).encode()))
    if (link := asking.link(challenge)) is not None:
        head.append((b"webhook-request-callback", link.encode()))
    return head, b""
