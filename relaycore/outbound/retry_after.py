"""When an endpoint wants to be asked again: `Retry-After` (RFC 9110, 10.2.3)."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

_SECONDS: Final = re.compile(r"[0-9]+")

MOST_SECONDS: Final = 1e10
"""Whoever says more means never, and is understood so: it is for whoever waits to say how long he does."""


def read(value: str, now: float) -> float | None:
    """After how many seconds, at least 0; None: it does not say so in a form that is known.

    value: of the header: a number of seconds, or a date
    now:   seconds since 1970, by our clock
    """
    value = value.strip()
    if _SECONDS.fullmatch(value):
        return min(float(value), MOST_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    # Without a zone it is meant as all dates of HTTP are.
    at = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
    return max(0.0, at.timestamp() - now)
