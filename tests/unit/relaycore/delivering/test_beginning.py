"""Where a cursor begins."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.beginning import at_time, parse, time_of
from relaycore.errors import BadSubscription
from relaycore.position import START, first_of, is_position, last_of

LAST = last_of("1700000000000-7")
MOMENT = datetime(2023, 11, 14, 22, 13, 19, 500_000, tzinfo=UTC)
"""Half a second before `LAST`."""

moments = st.datetimes(datetime(1970, 1, 1), datetime(2280, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))


def test_the_two_ends() -> None:
    assert parse("earliest").resolve(LAST) == START
    assert parse("earliest").is_earliest
    assert parse("latest").resolve(LAST) == LAST
    assert not parse("latest").is_earliest


@pytest.mark.parametrize(
    "text", ["2023-11-14T22:13:19.5Z", "2023-11-14T23:13:19.500+01:00", "2023-11-14T22:13:19.5009"]
)
def test_a_time_begins_with_its_millisecond(text: str) -> None:
    found = parse({"time": text}).resolve(LAST)
    assert last_of("1699999999499-9999999999") == found
    assert found < first_of("1699999999500-0")
    assert found == at_time(MOMENT).resolve(LAST)


@given(moments, st.integers(0, 10**10 - 1))
def test_whatever_is_of_that_time_is_above_it(moment: datetime, number: int) -> None:
    above = at_time(moment).above
    milliseconds = int((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1000 + 0.0005)
    assert above is not None
    assert is_position(above)
    assert first_of(f"{milliseconds + 1}-{number}") > above
    if milliseconds > 2:
        assert last_of(f"{milliseconds - 2}-{number}") <= above


@pytest.mark.parametrize(
    "ahead",
    [
        {"time": "2024-01-01T00:00:00Z"},
        {"time": "2286-11-20T17:46:40Z"},
        {"time": "9999-12-31T23:59:59Z"},
        {"position": first_of("1700000000001-0")},
    ],
)
def test_what_lies_ahead_passes_over_nothing_to_come(ahead: Any) -> None:
    assert parse(ahead).resolve(LAST) == LAST


def test_before_there_was_anything_is_the_earliest() -> None:
    assert parse({"time": "1960-01-01T00:00:00Z"}).is_earliest
    assert parse({"time": "1970-01-01T00:00:00Z"}).is_earliest
    assert parse({"position": START}).is_earliest


def test_a_position_is_taken_as_it_is() -> None:
    position = first_of("1699999999499-3")
    assert parse({"position": position}).resolve(LAST) == position


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, True, 5, "", "now", "Latest", [], ["latest"], {}, {"time": None}, {"time": 5}),
        *({"time": ""}, {"time": "noon"}, {"time": "2023-13-01"}, {"position": None}, {"position": "7"}),
        *({"position": START + "\n"}, {"time": "2023-11-14", "position": START}, {"at": "2023-11-14"}),
        {"time": "0001-01-01T00:00:00+23:00"},
    ],
)
def test_what_cannot_be_meant(wrong: Any) -> None:
    with pytest.raises(BadSubscription):
        parse(wrong)


def test_a_time_without_a_zone_is_utc() -> None:
    assert time_of("2023-11-14T22:13:19.5") == MOMENT
