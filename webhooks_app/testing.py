"""Sending one message to an endpoint, for somebody who waits for what it answers.

A thread waits with him, in the process that he has asked. So it is for `MOST_SECONDS` at most, whatever the
endpoint does, and of `AT_ONCE` in one process: whoever comes beyond that is told to try again.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from relaycore.errors import NotConfirmed, NotTried
from relaycore.outbound import urls
from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer
from relaycore.sending.signing import Signer
from webhooks_app import addresses, keeping, trusting
from webhooks_app.confirming import asking
from webhooks_app.http.once import ask as ask_once
from webhooks_app.http.target import Target
from webhooks_app.models import Endpoint

TYPE: Final = "relay.test"
MOST_SECONDS: Final = 5
AT_ONCE: Final = 4

_turns: Final = threading.BoundedSemaphore(AT_ONCE)

Ask = Callable[[Target, Sequence[tuple[bytes, bytes]], bytes, Allowed], Answer]


def try_out(row: Endpoint, ask: Ask = ask_once) -> dict[str, Any]:
    """What came of it, as the API shows it.

    Raises:
        NotConfirmed: nobody has said that anything may be sent there.
        NotTried: too many are being tried out.
        TooManyAsked: its host, or his endpoints, were asked too often lately.
        NoEncryptionKey, CannotDecrypt: what belongs to it cannot be read.
    """
    if row.confirmed_at is None:
        raise NotConfirmed(f'"{row}" is not confirmed, so nothing is sent to it.')
    if not _turns.acquire(blocking=False):
        raise NotTried(f"{AT_ONCE} endpoints are being tried out already. Try again in a few seconds.")
    try:
        return _try_out(row, ask)
    finally:
        _turns.release()


def _try_out(row: Endpoint, ask: Ask) -> dict[str, Any]:
    # Before the turn is counted: what cannot be sent takes none.
    signer = Signer(keeping.signing(row))
    target = Target(
        urls.read(row.url),
        min(row.timeout_seconds, MOST_SECONDS),
        headers=keeping.headers_of(row.headers),
        tls=trusting.context_of(row),
    )
    asking.take_a_turn(row, is_challenge=False)
    said = {"type": TYPE, "timestamp": datetime.now(UTC).isoformat(), "data": {"endpoint": row.name}}
    body = json.dumps(said).encode()
    signed = signer.headers(f"test-{secrets.token_hex(12)}", int(time.time()), body)
    answer = ask(target, [(b"content-type", b"application/json"), *signed], body, addresses.networks())
    return {
        "status": answer.status,
        "failure": answer.failure and answer.failure.value,
        "detail": answer.detail or None,
        "seconds": round(answer.seconds, 3),
        "body": answer.body.decode("utf-8", "replace"),
    }
