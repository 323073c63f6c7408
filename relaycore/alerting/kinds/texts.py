"""JSON and times, as rules read them and write them."""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii
from typing import Final

from relaycore.alerting.kinds import moments

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST: Final = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
_LAST: Final = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)

_encode: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
_canonical: Final = json.JSONEncoder(allow_nan=False).encode

_BEGINS_WITH_DATE: Final = re.compile(r"[0-9]{4}-?(?:[0-9]{2}|W)")


def read_time(text: str) -> int:
    """A time in ISO 8601, as microseconds since 1970. Without a zone it is UTC.

    Raises:
        ValueError: it is none, or before the year 1 in UTC.
    """
    if not _BEGINS_WITH_DATE.match(text):
        raise ValueError("does not begin with a date")
    moment = moments.read(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    since = moment - _EPOCH
    found = (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    if not _FIRST <= found <= _LAST:
        raise ValueError("has no year that can be written in UTC")
    return found


def show_time(microseconds: int) -> str:
    """That moment in ISO 8601 with its zone, UTC: `2024-11-21T12:00:00+00:00`."""
    minutes, rest = divmod(microseconds, 60_000_000)
    seconds, fraction = divmod(rest, 1_000_000)
    if fraction:
        return f"{_show_minute(minutes)}:{seconds:02d}.{fraction:06d}+00:00"
    return f"{_show_minute(minutes)}:{seconds:02d}+00:00"


@lru_cache(4096)
def _show_minute(minutes: int) -> str:
    """`2024-11-21T12:00`. What comes together is of a few minutes: written once, in a third of the time."""
    return (_EPOCH + timedelta(minutes=minutes)).isoformat()[: len("2024-11-21T12:00")]


def due(microseconds: int) -> int:
    """The first millisecond at or above."""
    return -(-microseconds // 1000)


def encode(value: object) -> str:
    """JSON as in messages: characters as they are. There is no half of a surrogate pair (`fields.value`)."""
    # Most are texts. Whoever goes through an encoder for them makes a new one each time.
    return encode_basestring(value) if type(value) is str else _encode(value)


def canonical(values: Iterable[object]) -> str:
    """A list as JSON, as in keys: ASCII, without spaces."""
    texts = [encode_basestring_ascii(one) if type(one) is str else _canonical(one) for one in values]
    return f"[{','.join(texts)}]"


def members(*several: Mapping[str, object]) -> str:
    """The first members of a JSON object, each with a comma behind it: those of one mapping after another."""
    return "".join([f"{encode(name)}: {encode(value)}, " for one in several for name, value in one.items()])
