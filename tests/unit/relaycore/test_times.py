"""Times on the wire and in Redis."""

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from relaycore.times import from_milliseconds, next_millisecond, rounded_up, to_milliseconds

LATEST = to_milliseconds(datetime(9999, 12, 31, tzinfo=UTC))


@given(st.integers(0, LATEST))
def test_a_millisecond_comes_back_as_it_was(milliseconds: int) -> None:
    assert to_milliseconds(from_milliseconds(milliseconds)) == milliseconds


def test_a_moment_is_the_same_in_every_zone_and_belongs_to_its_millisecond() -> None:
    moment = datetime(1970, 1, 1, 1, 0, 0, 1999, tzinfo=timezone(timedelta(hours=1)))
    assert to_milliseconds(moment) == 1
    assert from_milliseconds(1) == datetime(1970, 1, 1, microsecond=1000, tzinfo=UTC)


def test_what_no_calendar_has_is_its_last_moment() -> None:
    assert from_milliseconds(10**18) == from_milliseconds(10**19) > datetime(9999, 12, 31, tzinfo=UTC)


@given(st.datetimes(datetime(1971, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)))
def test_a_moment_is_rounded_up_to_where_nothing_before_it_is(moment: datetime) -> None:
    millisecond = timedelta(milliseconds=1)
    assert moment <= rounded_up(moment) < moment + millisecond
    assert moment < next_millisecond(moment) <= moment + millisecond
    assert rounded_up(moment).microsecond % 1000 == next_millisecond(moment).microsecond % 1000 == 0
