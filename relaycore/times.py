"""Times on the wire and in Redis are milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_LAST: Final = datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)


def from_milliseconds(milliseconds: int) -> datetime:
    """That moment, exactly: no floating point is involved. Beyond the year 9999: the last one there is."""
    return _EPOCH + min(milliseconds, to_milliseconds(_LAST)) * _MILLISECOND


def to_milliseconds(moment: datetime) -> int:
    """The millisecond in which the moment lies. It needs a time zone."""
    return (moment - _EPOCH) // _MILLISECOND


def rounded_up(moment: datetime) -> datetime:
    """The first whole millisecond that is not before the moment."""
    return from_milliseconds(-((_EPOCH - moment) // _MILLISECOND))


def next_millisecond(moment: datetime) -> datetime:
    """The first whole millisecond that is after the moment."""
    return from_milliseconds(to_milliseconds(moment) + 1)
