"""Times as text: exactly what Python's own `isoformat` writes, for every microsecond that can be written."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from relaycore.alerting.kinds.texts import read_time, show_time

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST = (datetime.min.replace(tzinfo=UTC) - EPOCH) // MICROSECOND
LAST = (datetime.max.replace(tzinfo=UTC) - EPOCH) // MICROSECOND


@given(st.integers(FIRST, LAST))
@example(-1)
@example(0)
@example(59_999_999)
@example(FIRST)
@example(LAST)
def test_a_time_is_written_as_python_writes_it_and_read_again(microseconds: int) -> None:
    text = show_time(microseconds)
    assert text == (EPOCH + microseconds * MICROSECOND).isoformat()
    assert read_time(text) == microseconds


@pytest.mark.parametrize("microseconds", [FIRST - 1, LAST + 1, 10**30])
def test_what_has_no_year_is_not_written(microseconds: int) -> None:
    with pytest.raises(OverflowError):
        show_time(microseconds)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00"])
def test_what_has_no_year_in_utc_is_not_read(text: str) -> None:
    with pytest.raises((ValueError, OverflowError)):
        read_time(text)
