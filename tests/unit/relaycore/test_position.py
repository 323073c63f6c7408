"""Where a message stands in its partition, as text that sorts like the stream."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.position import (
    MAX_MESSAGES_PER_ENTRY,
    POSITION_CHARS,
    START,
    at_millisecond,
    before_millisecond,
    entry_of,
    entry_prefix,
    first_of,
    is_position,
    last_of,
    milliseconds_of,
    previous_position,
)

places = st.tuples(
    st.integers(0, 10**13 - 1), st.integers(0, 10**10 - 1), st.integers(0, MAX_MESSAGES_PER_ENTRY - 1)
)
Place = tuple[int, int, int]


def position_of(place: Place) -> str:
    milliseconds, number, index = place
    return f"{entry_prefix(f'{milliseconds}-{number}')}{index:05d}"


def test_the_example_of_the_documentation() -> None:
    assert entry_prefix("1732190000000-3") + "00012" == "1732190000000-0000000003-00012"
    assert first_of("1732190000000-3") == "1732190000000-0000000003-00000"
    assert milliseconds_of("1732190000000-3") == 1_732_190_000_000


@given(places, places)
def test_text_order_is_stream_order(one: Place, other: Place) -> None:
    assert (position_of(one) < position_of(other)) == (one < other)
    assert (position_of(one).encode() < position_of(other).encode()) == (one < other)


@given(places, st.integers(0, 3), st.integers(0, 3), st.integers(0, 3))
def test_neighbours_are_in_order_too(place: Place, milliseconds: int, number: int, index: int) -> None:
    near = (place[0] // 10 + milliseconds, place[1] // 10 + number, place[2] // 10 + index)
    base = (place[0] // 10, place[1] // 10, place[2] // 10)
    assert (position_of(base) < position_of(near)) == (base < near)


@given(places)
def test_every_position_is_one_and_comes_after_the_start(place: Place) -> None:
    assert is_position(position_of(place))
    assert len(position_of(place)) == POSITION_CHARS == len(START)
    assert position_of(place) >= START
    assert milliseconds_of(f"{place[0]}-{place[1]}") == place[0]
    assert entry_of(position_of(place)) == f"{place[0]}-{place[1]}"


def test_before_every_message_is_a_position() -> None:
    assert is_position(START)
    assert first_of("0-1") > START, "the first id that Redis can give"


@pytest.mark.parametrize(
    "entry_id",
    [
        "",
        "-",
        "1",
        "1-",
        "-1",
        "1-2-3",
        "1-*",
        "$",
        "+",
        " 1-2",
        "1-2 ",
        "1-2\n",
        "+1-2",
        "1_0-2",
        "a-b",
        "١-٢",
        "10000000000000-0",  # the year 2286
        "1-10000000000",
        "1-18446744073709551615",
    ],
)
def test_what_is_not_an_entry_id_is_refused(entry_id: str) -> None:
    with pytest.raises(ValueError, match="not a stream entry id"):
        entry_prefix(entry_id)
    with pytest.raises(ValueError, match="not a stream entry id"):
        first_of(entry_id)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1732190000000-3",
        "1732190000000-0000000003",
        "1732190000000-0000000003-",
        "1732190000000-0000000003-0012",
        "1732190000000-0000000003-000120",
        "1732190000000-000000003-00012",
        "732190000000-0000000003-00012",
        "11732190000000-0000000003-00012",
        "1732190000000-0000000003-00012\n",
        " 1732190000000-0000000003-00012",
        "1732190000000_0000000003_00012",
        "1732190000000-0000000003-0001x",
        "1732190000000-0000000003-0001٢",
    ],
)
def test_what_is_not_a_position_is_told_apart(text: str) -> None:
    assert not is_position(text)


@given(places, places)
def test_nothing_is_between_a_position_and_the_one_below_it(place: Place, other: Place) -> None:
    below = previous_position(position_of(place))
    assert is_position(below)
    assert below < position_of(place) or position_of(place) == START
    assert not below < position_of(other) < position_of(place)


@given(places)
def test_the_last_of_an_entry_is_above_all_of_it(place: Place) -> None:
    entry = f"{place[0]}-{place[1]}"
    assert position_of(place) <= last_of(entry)
    if place[1] + 1 < 10**10:
        assert last_of(entry) < first_of(f"{place[0]}-{place[1] + 1}")


@given(places)
def test_right_below_a_millisecond(place: Place) -> None:
    assert position_of(place) > before_millisecond(place[0]) or position_of(place) == START
    if place[0] < 10**13 - 1:
        assert position_of(place) <= before_millisecond(place[0] + 1)


@given(places)
def test_at_a_millisecond_stands_the_first_of_it(place: Place) -> None:
    assert at_millisecond(place[0]) == first_of(f"{place[0]}-0") <= position_of(place)
    assert previous_position(at_millisecond(place[0])) == before_millisecond(place[0])


@pytest.mark.parametrize("milliseconds", [-1, -(10**13), -(10**30)])
def test_before_1970_nothing_was_appended(milliseconds: int) -> None:
    assert at_millisecond(milliseconds) == START
    assert before_millisecond(milliseconds) == START


@pytest.mark.parametrize("milliseconds", [10**13, 10**30])
def test_after_2286_it_is_the_last_millisecond(milliseconds: int) -> None:
    assert at_millisecond(milliseconds) == first_of("9999999999999-0")
    assert before_millisecond(milliseconds) == previous_position(first_of("9999999999999-0"))
