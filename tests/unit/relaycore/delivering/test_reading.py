"""What a process has read ahead."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import ReadAhead

from .places import at, document, numbers

MUCH = 10**6


def is_odd(one: Any) -> bool:
    return bool(one["number"] % 2)


def read_ahead(*read: int, above: int = 0, wants: Any = None) -> ReadAhead:
    found = ReadAhead(at(above), 1)
    found.add([document(one) for one in read], wants)
    return found


def test_what_is_not_wanted_is_looked_at() -> None:
    read = read_ahead(1, 2, 3, 4, wants=is_odd)
    assert read.looked == at(4)
    found, upto = read.first(10, MUCH)
    assert ([one["number"] for one in found], upto) == ([1, 3], at(4))


def test_a_page_without_messages_changes_nothing() -> None:
    read = read_ahead(1)
    read.add([])
    assert (read.looked, len(read)) == (at(1), 1)


@pytest.mark.parametrize(
    ("most", "most_bytes", "found", "upto"),
    [
        (10, 30, [1, 3, 5], 6),
        (2, 30, [1, 3], 3),
        (10, 29, [1, 3], 3),
        (10, 1, [1], 1),
        (0, 30, [], 0),
    ],
)
def test_so_many_messages_and_bytes_and_one_at_least(
    most: int, most_bytes: int, found: list[int], upto: int
) -> None:
    read = ReadAhead(at(0), 1)
    read.add([document(one, 10) for one in range(1, 7)], is_odd)
    given_, end = read.first(most, most_bytes)
    assert ([one["number"] for one in given_], end) == (found, at(upto))


@pytest.mark.parametrize(
    ("before", "found", "upto"), [(1, [], 0), (3, [1], 1), (4, [1, 3], 3), (5, [1, 3], 4)]
)
def test_what_is_not_ripe_is_not_passed(before: int, found: list[int], upto: int) -> None:
    read = read_ahead(1, 2, 3, 4, wants=is_odd)
    given_, end = read.first(10, MUCH, at(before))
    assert ([one["number"] for one in given_], end) == (found, at(upto))


@pytest.mark.parametrize(
    ("cursor", "fits"),
    [
        (Cursor(at(2), at(2)), True),
        (Cursor(at(4), at(9)), True),
        (Cursor(at(6), at(6)), True),
        (Cursor(at(1), at(1)), False),
        (Cursor(at(7), at(7)), False),
        (Cursor(at(4), at(4), generation=2), False),
    ],
)
def test_it_fits_where_it_was_read(cursor: Cursor, fits: bool) -> None:
    read = read_ahead(3, 4, 5, 6, above=2)
    assert read.fits(cursor) is fits
    if fits:
        ahead, found = read.ahead(10, MUCH)
        assert (ahead.above, ahead.upto, ahead.generation) == (cursor.position, at(6), 1)
        assert [one["position"] for one in found] == [
            at(one) for one in (3, 4, 5, 6) if at(one) > cursor.position
        ]
        assert [position for position, _ in ahead.messages] == [one["position"] for one in found]
        assert read.size == len(read) == len(found)


@given(
    st.lists(numbers, unique=True).map(sorted),
    st.integers(1, 4),
    st.lists(st.tuples(st.integers(1, 4), st.none() | numbers, st.integers(1, 3)), max_size=30),
)
def test_step_by_step_everything_that_is_wanted_is_given_once_and_in_order(
    stored: list[int], page: int, steps: list[tuple[int, int | None, int]]
) -> None:
    read, cursor = ReadAhead(at(0), 1), Cursor()
    cursor = Cursor(at(0), at(0))
    stored = [one for one in stored if one]
    left, found = list(stored), []
    for most, before, size in steps:
        read.add([document(one) for one in left[:page]], is_odd)
        left = left[page:]
        assert read.fits(cursor)
        some, upto = read.first(most, size, None if before is None else at(before))
        assert cursor.position <= upto <= read.looked
        assert before is None or all(one["number"] < before for one in some)
        found += [one["number"] for one in some]
        cursor = Cursor(upto, upto)
        assert found == [one for one in stored if one % 2 and at(one) <= upto]
