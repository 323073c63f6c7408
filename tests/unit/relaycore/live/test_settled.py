"""Up to which number everything is known, however transactions end."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from relaycore.live.settled import WAIT_SECONDS, Settled


def just(numbers: Iterable[int], age: float = 0.0) -> dict[int, float]:
    """These are on record for so many seconds."""
    return dict.fromkeys(numbers, age)


def test_what_comes_in_order_is_known_at_once() -> None:
    settled = Settled()
    assert settled.number == 0
    for newest in range(1, 50):
        settled.see(just(range(max(1, newest - 30), newest + 1)), 0.0)
        assert settled.number == newest


def test_a_lower_number_that_may_still_come_is_waited_for() -> None:
    settled = Settled()
    settled.see(just([1, 2, 3]), 0.0)
    settled.see(just([1, 2, 3, 5, 7]), 1.0)
    assert settled.number == 3
    settled.see(just([1, 2, 3, 4, 5, 7]), 2.0)
    assert settled.number == 5
    settled.see(just([1, 2, 3, 4, 5, 6, 7]), 3.0)
    assert settled.number == 7


def test_one_that_was_taken_back_is_not_waited_for_without_end() -> None:
    settled = Settled()
    settled.see(just([1, 3]), 0.0)
    settled.see(just([1, 3]), WAIT_SECONDS - 1)
    assert settled.number == 1
    settled.see(just([1, 3]), WAIT_SECONDS)
    assert settled.number == 3
    settled.see(just([1, 3, 4]), 2 * WAIT_SECONDS)
    assert settled.number == 4


def test_after_a_start_what_is_missing_since_long_ago_is_not_waited_for() -> None:
    settled = Settled()
    settled.see({1: 9000.0, 5: WAIT_SECONDS, 7: 100.0, 8: 50.0}, 1000.0)
    assert settled.number == 5, "6 was given before 7, 100 seconds ago"
    settled.see({1: 9000.0, 5: 9000.0, 7: 599.0, 8: 549.0}, 1499.0)
    assert settled.number == 5
    settled.see({1: 9000.0, 5: 9000.0, 7: 600.0, 8: 550.0}, 1500.0)
    assert settled.number == 8


def test_after_a_start_a_number_below_all_that_are_there_may_still_come() -> None:
    settled = Settled()
    settled.see({2: 0.0}, 0.0)
    assert settled.number == 0
    settled.see({1: 2.0, 2: 2.0}, 2.0)
    assert settled.number == 2


def test_a_row_that_was_written_by_a_clock_that_is_ahead_is_one_of_now() -> None:
    settled = Settled()
    settled.see({1: 9000.0, 3: -86_400.0}, 0.0)
    settled.see({1: 9000.0, 3: -85_801.0}, WAIT_SECONDS - 1)
    assert settled.number == 1
    settled.see({1: 9000.0, 3: -85_800.0}, WAIT_SECONDS)
    assert settled.number == 3


def test_numbers_that_begin_anew_are_known_again() -> None:
    settled = Settled()
    settled.see(just(range(1, 100)), 0.0)
    settled.see(just([1, 2]), 1.0)
    assert settled.number == 2
    settled.see(just([]), 2.0)
    assert settled.number == 0


@given(st.permutations(range(1, 12)), st.sets(st.integers(1, 11)))
def test_nothing_comes_below_what_was_said_to_be_known(order: list[int], taken_back: set[int]) -> None:
    settled, there = Settled(), set[int]()
    settled.see(just(there), 0.0)
    for number in order:
        before = settled.number
        if number not in taken_back:
            assert number > before
            there.add(number)
            settled.see(just(there), 1.0)
        assert settled.number >= before
    assert settled.number == max((n for n in range(1, 12) if set(range(1, n + 1)) <= there), default=0)
