"""A ring: numbers that stay, and a floor that rises."""

from hypothesis import given
from hypothesis import strategies as st

from relaycore.live.ring import Ring, share
from relaycore.position import START, first_of
from relaycore.storing.expiring import Expired


def position(number: int) -> str:
    return first_of(f"{number}-0")


def documents(*numbers: int, size: int = 1) -> list[dict[str, str]]:
    return [{"channel": "c", "position": position(number), "message": "x" * size} for number in numbers]


@given(st.lists(st.integers(1, 30), max_size=20), st.integers(1, 40))
def test_entries_keep_their_numbers_and_what_has_left_is_below_the_floor(pages: list[int], most: int) -> None:
    ring, number = Ring("c", START, 1 << 30, most), 0
    for page in pages:
        ring.append(documents(*range(number + 1, number + page + 1)))
        number += page
        assert ring.head == number
        assert ring.head - ring.first <= most
        assert ring.floor == (position(ring.first) if ring.first else START)
        assert ring.newest == position(number)
        for place in range(ring.first, ring.head):
            assert ring.entry(place).position == position(place + 1)
            assert ring.above(position(place + 1)) == place + 1
        assert ring.above(ring.floor) == ring.first


@given(st.lists(st.integers(1, 5000), min_size=1, max_size=50), st.integers(1, 20_000))
def test_what_is_taken_has_so_many_bytes_or_is_one(sizes: list[int], most: int) -> None:
    ring = Ring("c", START, 1 << 30)
    for number, size in enumerate(sizes, 1):
        ring.append(documents(number, size=size))
    place, seen = 0, 0
    while entries := ring.some(place, most):
        assert sum(entry.size for entry in entries) <= most or len(entries) == 1
        assert ring.waiting(place) == ring.size - seen
        place += len(entries)
        seen += sum(entry.size for entry in entries)
    assert place == len(sizes)
    assert ring.waiting(place) == 0


def test_it_keeps_no_more_bytes_than_it_may_but_the_last_one() -> None:
    ring = Ring("c", START, 10_000)
    ring.append(documents(1, 2, 3, size=4000))
    assert (ring.first, ring.floor) == (1, position(1))
    ring.append(documents(4, size=50_000))
    assert (ring.first, ring.head) == (3, 4)


def test_what_was_deleted_above_where_it_was_asked_last_is_a_hole() -> None:
    ring = Ring("c", position(10), 1 << 20)
    ring.note(Expired(position(5), 5), position(20))
    assert ring.holes == []
    ring.note(Expired(position(25), 9), position(30))
    (hole,) = ring.holes
    assert (hole.after, hole.upto, hole.at_most) == (position(10), position(25), 4)
    ring.note(Expired(position(25), 9), position(40))
    assert len(ring.holes) == 1


def test_what_is_deleted_is_let_go() -> None:
    ring = Ring("c", START, 1 << 20)
    ring.append(documents(1, 2, 3))
    ring.note(Expired(position(2), 2), position(9))
    assert (ring.first, ring.floor, ring.newest) == (2, position(2), position(3))
    ring.note(Expired(position(3), 3), position(9))
    assert (ring.first, ring.head, ring.newest) == (3, 3, position(3))


@given(st.lists(st.integers(0, 1000), max_size=20), st.integers(0, 5000))
def test_all_together_have_as_much_as_they_may_and_who_has_little_keeps_it(
    sizes: list[int], most: int
) -> None:
    each = share(sizes, most)
    kept = [min(size, each) for size in sizes]
    assert sum(kept) <= most
    assert kept == sizes or most - sum(kept) < len(sizes)
