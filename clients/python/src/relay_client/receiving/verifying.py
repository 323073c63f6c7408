"""`verify`: what a receiver calls first."""

import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from relay_client.receiving.formats import read
from relay_client.receiving.headers import Headers, by_name
from relay_client.receiving.rows import Webhook
from relay_client.receiving.signatures import secrets_of, verified


def verify(
    headers: Headers, body: bytes, secrets: str | Sequence[str], tolerance_seconds: float = 300
) -> Webhook:
    """What Relay has sent, if it was Relay, and not too long ago.

    headers: as the server gives them: by name in any case, or as pairs, as text or as bytes
    body:    the bytes as they came: JSON that was read and written again is not what was signed
    secrets: `whsec_…`, or the public key `whpk_…`; several while one is changed for another

    Raises:
        BadWebhook: it was not, or too long ago, or is no webhook of Relay's: answer 400, and do nothing.
        ValueError: one of the secrets is none, or the tolerance is no number of seconds from 0 on.
        TypeError: the body is not bytes.
        ModuleNotFoundError: a public key, without the library for it.
    """
    if not isinstance(body, (bytes, bytearray, memoryview)):
        raise TypeError(f"the body is {type(body).__name__}, not bytes as they came")
    if not 0 <= tolerance_seconds < math.inf:  # Not so is NaN either.
        raise ValueError(f"the tolerance is {tolerance_seconds}, not a number of seconds from 0 on")
    named, found = by_name(headers), bytes(body)
    id, at = verified(named, found, secrets_of(secrets), tolerance_seconds, time.time())
    kind, messages, said = read(id, named, found)
    return Webhook(id, datetime.fromtimestamp(at, UTC), kind, messages, said)
