"""Times on the wire and in Redis are milliseconds since 1970, UTC."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)


def from_milliseconds(milliseconds: int) -> datetime:
    """That moment, exactly: no floating point is involved."""
    return _EPOCH + milliseconds * _MILLISECOND


def to_milliseconds(moment: datetime) -> int:
    """The millisecond in which the moment lies. It needs a time zone."""
    return (moment - _EPOCH) // _MILLISECOND
