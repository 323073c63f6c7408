"""Whether an endpoint wants what would be sent to it, by what it has answered.

==========  =================================================================================
`echoes`    it was sent a challenge, and has sent it back: as its body, or as `challenge` in JSON
`allowed`   it was asked by OPTIONS, as CloudEvents' webhooks are (HTTP 1.1 Web Hooks 1.0.2, 4.)
==========  =================================================================================

A status alone is never consent: many servers answer 200 to whatever comes.
"""

import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

ALLOWED_ORIGIN: Final = "webhook-allowed-origin"
ALLOWED_RATE: Final = "webhook-allowed-rate"
ANY: Final = "*"

_SECONDS: Final = 60.0
_MOST_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class Consent:
    """It wants it. `per_second`: so many requests at most; None: as many as there are."""

    per_second: float | None = None


def echoes(status: int | None, body: bytes, challenge: str) -> bool:
    """Whether this is the answer of somebody who has read the challenge and wants what is to come."""
    if status is None or not 200 <= status < 300:
        return False
    said = body.strip()
    try:
        decoded = json.loads(said)
    except (ValueError, RecursionError):  # Of text that is not UTF-8 as well.
        decoded = None
    if isinstance(decoded, dict):
        decoded = decoded.get("challenge")
    if isinstance(decoded, str):
        said = decoded.encode("utf-8", "surrogatepass")
    return hmac.compare_digest(said, challenge.encode())


def allowed(headers: Mapping[str, str], origin: str) -> Consent | None:
    """What the answer to OPTIONS allows to this origin; None: nothing. Names are in small letters.

    A rate that cannot be read allows nothing: whoever has set one wants not to be flooded.
    """
    said = headers.get(ALLOWED_ORIGIN, "").strip().lower()
    if not said or said not in {ANY, origin.lower()}:
        return None
    rate = headers.get(ALLOWED_RATE, ANY).strip()
    if rate == ANY:
        return Consent()
    if len(rate) > _MOST_DIGITS:
        return None
    try:
        per_minute = float(rate)
    except ValueError:
        return None
    return Consent(per_minute / _SECONDS) if math.isfinite(per_minute) and per_minute > 0 else None
