"""Times of the week and of the year, as Alertmanager's time intervals: maintenance, hours of duty.

Which offset a zone had or has is in the time zone database of the machine. It changes now and then; then
what a rule said of the past may be another thing than what it would say today.
"""

import re
from calendar import monthrange
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from relaycore.alerting.labelled.refused import BadMatcher
from relaycore.times import from_milliseconds

MOST: Final = 50
"""Intervals in a list, and ranges in one of their fields."""

_WEEKDAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)
_TIME: Final = re.compile(r"(?:([01][0-9]|2[0-3]):([0-5][0-9])|(24):(00))")
_NO_ZONES: Final = ("localtime", "posixrules", "Factory")
"""In the database there may be these: what they say is another thing on another machine."""
_FIELDS: Final = ("times", "weekdays", "days_of_month", "months", "years", "location")

Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Interval:
    """All of what is given must be so; of each field, one range.

    times:         minutes of the day, the end not in it
    weekdays:      from 0, sunday
    days_of_month: from 1; below 0: from the end of the month
    zone:          the name of the IANA zone whose clock is looked at
    """

    times: tuple[Range, ...] = ()
    weekdays: tuple[Range, ...] = ()
    days_of_month: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()
    zone: str = "UTC"

    def contains(self, at: int) -> bool:
        """Whether this moment, in milliseconds, is in it."""
        moment = from_milliseconds(at).astimezone(ZoneInfo(self.zone))
        minute = moment.hour * 60 + moment.minute
        return (
            (not self.times or any(low <= minute < high for low, high in self.times))
            and _is_in(self.years, moment.year)
            and _is_in(self.months, moment.month)
            and (not self.days_of_month or any(_has_day(days, moment) for days in self.days_of_month))
            and _is_in(self.weekdays, moment.isoweekday() % 7)
        )


def of(given: object) -> Interval:
    """One interval, in the fields of Alertmanager's configuration.

    Raises:
        BadMatcher: it is in another form; the text says which field, and what to write.
    """
    if not isinstance(given, Mapping) or set(given) - set(_FIELDS):
        raise BadMatcher(f"A time interval is an object with one or more of {', '.join(_FIELDS)}.")
    return Interval(
        tuple(map(_times, _several(given, "times"))),
        tuple(_named(text, "weekdays", _WEEKDAYS, 0) for text in _several(given, "weekdays")),
        tuple(map(_days, _several(given, "days_of_month"))),
        tuple(_named(text, "months", _MONTHS, 1) for text in _several(given, "months")),
        tuple(map(_years, _several(given, "years"))),
        _zone(given.get("location", "UTC")),
    )


def several(given: object) -> tuple[Interval, ...]:
    """A list of them. Raises as `of`."""
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MOST:
        raise BadMatcher(f"Time intervals must be a list of up to {MOST}.")
    return tuple(map(of, given))


def is_quiet(mute: Iterable[Interval], active: Iterable[Interval] | None, at: int) -> bool:
    """Whether this moment, in ms, is in one of the first, or, if the others are given, in none of those."""
    if any(one.contains(at) for one in mute):
        return True
    return active is not None and not any(one.contains(at) for one in active)


def _is_in(ranges: tuple[Range, ...], value: int) -> bool:
    return not ranges or any(low <= value <= high for low, high in ranges)


def _has_day(days: Range, moment: datetime) -> bool:
    last = monthrange(moment.year, moment.month)[1]
    low, high = (day if day > 0 else last + 1 + day for day in days)
    return low <= last and max(low, 1) <= moment.day <= high


def _several(given: Mapping[str, Any], name: str) -> Sequence[Any]:
    found = given.get(name, [])
    if not isinstance(found, list | tuple) or len(found) > MOST:
        raise BadMatcher(f"{name} of a time interval must be a list of up to {MOST}.")
    return found


def _times(given: object) -> Range:
    if isinstance(given, Mapping) and set(given) == {"start_time", "end_time"}:
        found = [_TIME.fullmatch(str(given[name])) for name in ("start_time", "end_time")]
        if all(found):
            low, high = (int(one[1] or one[3]) * 60 + int(one[2] or one[4]) for one in found if one)
            if low < high:
                return low, high
    raise BadMatcher(
        'times of a time interval are as {"start_time": "09:00", "end_time": "17:00"}, up to 24:00, '
        "the end after the start. Over midnight it takes two."
    )


def _ends(given: object) -> tuple[str, str] | None:
    """What stands on both sides of a colon."""
    if isinstance(given, int) and not isinstance(given, bool):
        given = str(given)
    if not isinstance(given, str):
        return None
    low, colon, high = given.strip().lower().partition(":")
    return low.strip(), (high if colon else low).strip()


def _named(given: object, field: str, names: Sequence[str], first: int) -> Range:
    ends = _ends(given)
    found = [_number_of(text, names, first) for text in ends or ()]
    if len(found) == 2 and found[0] is not None and found[1] is not None and found[0] <= found[1]:
        return found[0], found[1]
    raise BadMatcher(
        f'{field} of a time interval are as "{names[1]}" or "{names[1]}:{names[4]}", '
        "the end not before the start."
    )


def _number_of(text: str, names: Sequence[str], first: int) -> int | None:
    if text in names:
        return names.index(text) + first
    is_number = text.isascii() and text.isdigit() and len(text) <= 2
    return int(text) if is_number and first <= int(text) < first + len(names) else None


def _days(given: object) -> Range:
    low, high = _whole(given) or (0, 0)
    # As in a month of 31 days: only there all of them can be compared.
    first, last = (day if day > 0 else 32 + day for day in (low, high))
    if not (1 <= first <= last <= 31) or not low or not high or low < 0 < high:
        raise BadMatcher(
            "days_of_month of a time interval are 1 to 31, or -31 to -1 from the end of the month, as "
            '"1:5", "-1" or "25:-1", the end not before the start.'
        )
    return low, high


def _years(given: object) -> Range:
    low, high = _whole(given) or (0, 0)
    if not 1 <= low <= high <= 9999:
        raise BadMatcher(
            'years of a time interval are as "2026" or "2026:2028", the end not before the start.'
        )
    return low, high


def _whole(given: object) -> Range | None:
    try:
        low, high = (int(text) for text in _ends(given) or ())
    except ValueError:
        return None
    return low, high


def _zone(given: object) -> str:
    try:
        return ZoneInfo(given).key if isinstance(given, str) and given not in _NO_ZONES else _no_zone()
    except (ValueError, OSError, LookupError) as exc:
        raise BadMatcher('location of a time interval must be a zone as "Europe/Berlin".') from exc


def _no_zone() -> str:
    raise ValueError
