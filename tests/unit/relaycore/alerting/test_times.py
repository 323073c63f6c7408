"""Causes sort as they happen; and up to which time a log is known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes, times
from relaycore.position import NEVER, START, before_millisecond, first_of, last_of

from .inputs import T0

AT = st.integers(T0, T0 + 20)


@given(st.lists(st.tuples(AT, st.none() | st.integers(0, 3)), max_size=8))
def test_causes_sort_in_the_order_in_which_they_happen(found: list[tuple[int, int | None]]) -> None:
    """A timer comes before all inputs of its millisecond."""
    by_time = sorted(found, key=lambda one: (one[0], -1 if one[1] is None else one[1]))
    as_text = [causes.of_timer(at) if n is None else first_of(f"{at}-{n}") for at, n in by_time]
    assert sorted(as_text) == as_text


def test_what_a_cause_is() -> None:
    timer, input = causes.of_timer(7), first_of("7-3")
    assert (timer, causes.at_of(timer), causes.is_timer(timer)) == ("0000000000007", 7, True)
    assert (causes.at_of(input), causes.is_timer(input)) == (7, False)
    assert causes.NOTHING < timer < input < causes.of_timer(8)


@pytest.mark.parametrize("due", [-1, causes.LAST_MS + 1])
def test_a_timer_has_to_have_room_in_a_cause(due: int) -> None:
    with pytest.raises(ValueError, match="no timer"):
        causes.of_timer(due)


def test_a_time_is_reached_when_all_three_say_so() -> None:
    assert times.reached(first_of("50-0"), "40-7", "60-0") == 40
    assert times.reached(first_of("50-0"), "70-0", "60-0") == 50
    assert times.reached(first_of("50-0"), "70-0", "45-0") == 45
    assert times.reached(START, "70-0", "45-0") == 0
    assert times.reached(first_of("50-0"), NEVER, "45-0") == 0


def test_nobody_has_said_anything_above_the_highest_of_the_three() -> None:
    assert times.known_from(first_of("50-3"), "40-7", "45-0") == first_of("50-3")
    assert times.known_from(first_of("50-3"), "60-7", "45-0") == last_of("60-9999999999")
    assert times.known_from(first_of("50-3"), "60-7", "65-0") == last_of("65-9999999999")


@given(AT, AT, AT)
def test_what_a_term_has_reached_the_next_one_knows_of(below: int, last: int, mark: int) -> None:
    """Even if Redis has lost all it had since then."""
    known = times.known_from(START, NEVER, f"{mark}-0")
    reached = times.reached(first_of(f"{below}-0"), f"{last}-0", f"{mark}-0")
    assert causes.of_timer(reached) <= known
    assert known < causes.of_timer(mark + 1)


def test_time_is_let_pass_up_to_the_mark_and_never_back() -> None:
    assert times.raised(50, "40-0", "60-0") == 50
    assert times.raised(50, "40-0", "45-0") == 45
    assert times.raised(50, "50-3", "60-0") == 0
    assert times.raised(30, "40-0", "60-0") == 0
    assert times.raised(50, "40-0", NEVER) == 0


def test_retention_stays_behind_the_slowest() -> None:
    assert times.may_expire([T0, T0 + 5]) == before_millisecond(T0)
    assert times.may_expire([T0]) < causes.of_timer(T0)
