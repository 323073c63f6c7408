"""How long to wait before trying again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.backoff import Backoff

chances = st.floats(0, 1, exclude_max=True)


def test_waits_double_up_to_the_longest() -> None:
    backoff = Backoff(first=0.1, longest=1.0)
    # chance 1 would be the whole wait; it is never reached.
    assert [round(backoff.next(1), 9) for _ in range(6)] == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_where_nothing_is_said_it_begins_with_50_ms_and_ends_with_2_s() -> None:
    backoff = Backoff()
    waits = [backoff.next(1) for _ in range(10)]
    assert (waits[0], waits[-1]) == (0.05, 2.0)


def test_waits_are_spread_over_the_upper_half() -> None:
    assert [Backoff(first=1.0).next(chance) for chance in (0.0, 0.5)] == [0.5, 0.75]


def test_after_a_success_it_begins_again() -> None:
    backoff = Backoff(first=0.1)
    waits = [backoff.next(0), backoff.next(0)]
    backoff.reset()
    assert [backoff.next(0), backoff.next(0)] == waits


@given(st.floats(0.001, 10), st.floats(0.001, 100), st.lists(chances, min_size=1, max_size=50))
def test_a_wait_is_never_longer_than_the_longest_nor_shorter_than_half_of_what_it_may_be(
    first: float, longest: float, draws: list[float]
) -> None:
    backoff = Backoff(first, longest)
    for failures, chance in enumerate(draws):
        whole = min(longest, first * 2**failures)
        assert whole / 2 <= backoff.next(chance) <= whole


@pytest.mark.parametrize("failures", [33, 1024, 10**6])
def test_no_number_of_failures_is_too_large(failures: int) -> None:
    assert Backoff(first=0.05, longest=2.0, failures=failures).next(0) == 1.0
