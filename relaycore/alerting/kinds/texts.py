"""JSON and times, as rules read them and write them."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
"""As in messages: characters as they are. Half a surrogate pair does not get here (`fields.value`)."""

canonical: Final = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
"""As in keys: ASCII, without spaces."""

_BEGINS_WITH_DATE: Final = re.compile(r"[0-9]{4}-?(?:[0-9]{2}|W)")


def read_time(text: str) -> int:
    """A time in ISO 8601, as microseconds since 1970. Without a zone it is UTC.

    Raises:
        ValueError: it is none, or before the year 1 in UTC.
    """
    if not _BEGINS_WITH_DATE.match(text):
        raise ValueError("does not begin with a date")
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = (moment - _EPOCH) // _MICROSECOND
    _EPOCH + since * _MICROSECOND  # It can be written as well.
    return since


def show_time(microseconds: int) -> str:
    """That moment in ISO 8601 with its zone, UTC: `2024-11-21T12:00:00+00:00`."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


def due(microseconds: int) -> int:
    """The first millisecond at or above."""
    return -(-microseconds // 1000)
