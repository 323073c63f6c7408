"""Times in ISO 8601: what Python reads by itself, and the rarer forms that it refuses, or takes for others.

Those are: small `t` and `z` (RFC 3339), days of the year (`2026-331`), fractions of an hour or of a minute
(`T05.5Z` is half past five), midnight at the end of a day (`T24:00`), leap seconds, which are the second
after, and U+2212 as the minus of a zone, as the standard itself writes it.
"""

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

_DATE: Final = r"[0-9]{4}-?(?:[0-9]{2}-?[0-9]{2}|W[0-9]{2}-?[0-9]|[0-9]{3})"
# For Python these are fractions of a second.
_IS_MISREAD: Final = re.compile(rf"{_DATE}[^0-9][0-9]{{2}}(?::?[0-9]{{2}})?[.,]").match
_FORM: Final = re.compile(
    rf"({_DATE})[Tt ]([0-9]{{2}})(?::?([0-9]{{2}})(?::?([0-9]{{2}}))?)?(?:[.,]([0-9]{{1,30}}))?"
    r"([Zz]|[-+\u2212][0-9]{2}(?::?[0-9]{2})?)?"
)
_DIGITS: Final = 18
_LAST_HOUR, _LEAP_SECOND = 24, 60


def read(text: str) -> datetime:
    """The moment, to the microsecond below, with its zone if it has one.

    Raises:
        ValueError, OverflowError: it is none.
    """
    if not _IS_MISREAD(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            pass  # It may be one of the rarer forms.
    return _rarer(text)


def _rarer(text: str) -> datetime:
    if (found := _FORM.fullmatch(text)) is None:
        raise ValueError("is no time in ISO 8601")
    day, hour, minute, second, fraction, zone = found.groups()
    hours, minutes, seconds = int(hour), int(minute or 0), int(second or 0)
    unit = 3600 if minute is None else 60 if second is None else 1
    rest = int((fraction or "0").ljust(_DIGITS, "0")[:_DIGITS]) * unit // 10 ** (_DIGITS - 6)
    is_end_of_day = hours == _LAST_HOUR and not minutes and not seconds and not rest
    is_leap_second = seconds == _LEAP_SECOND
    if not ((hours < _LAST_HOUR or is_end_of_day) and minutes < 60 and (seconds < 60 or is_leap_second)):
        raise ValueError("has a time that no day has")
    begins = datetime.combine(_day(day), datetime.min.time(), _zone(zone))
    moment = begins + timedelta(hours=hours, minutes=minutes, seconds=seconds, microseconds=rest)
    if is_leap_second and not _is_midnight(moment - timedelta(microseconds=rest)):
        raise ValueError("has a leap second where there is none")
    return moment


def _day(text: str) -> date:
    bare = text.replace("-", "")
    if len(bare) != len("2026331"):
        return date.fromisoformat(text)
    year, day = int(bare[:4]), int(bare[4:])
    found = date(year, 1, 1) + timedelta(days=day - 1)
    if found.year != year:
        raise ValueError("has a day that its year does not have")
    return found


def _zone(text: str | None) -> tzinfo | None:
    if text is None:
        return None
    return datetime.fromisoformat("2000-01-01T00:00" + text.upper().replace("\u2212", "-")).tzinfo


def _is_midnight(moment: datetime) -> bool:
    """In UTC, which is where leap seconds are."""
    there = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return (there.hour, there.minute, there.second) == (0, 0, 0)
