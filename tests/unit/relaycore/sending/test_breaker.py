"""When an endpoint is left alone, and when it is tried again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.sending.breaker import FIRST_PAUSE_MS, LONGEST_PAUSE_MS, MOST, Breaker, State
from tests.unit.relaycore.delivering.places import NOW

CLOSED = Breaker()
OPEN = Breaker(MOST, NOW + 1000)


def failed(breaker: Breaker, times: int, now: int = NOW) -> Breaker:
    """So many, each of which begins once it may."""
    for _ in range(times):
        now = max(now, breaker.until)
        breaker = breaker.failed(now, now, 0.0)
    return breaker


@pytest.mark.parametrize(
    ("breaker", "now", "state", "may_try"),
    [
        (CLOSED, NOW, State.CLOSED, (True, True)),
        (Breaker(MOST - 1), NOW, State.CLOSED, (True, True)),
        (OPEN, NOW, State.OPEN, (False, False)),
        (OPEN, NOW + 999, State.OPEN, (False, False)),
        (OPEN, NOW + 1000, State.HALF_OPEN, (True, False)),
        (OPEN, NOW + 10**9, State.HALF_OPEN, (True, False)),
        (OPEN, NOW - LONGEST_PAUSE_MS, State.HALF_OPEN, (True, False)),  # The clock has fallen back.
    ],
)
def test_what_may_be_tried_in_each_state(
    breaker: Breaker, now: int, state: State, may_try: tuple[bool, bool]
) -> None:
    assert breaker.state(now) is state
    assert (breaker.may_try(now, 0), breaker.may_try(now, 1)) == may_try


def test_failures_in_a_row_open_it() -> None:
    assert failed(CLOSED, MOST - 1) == Breaker(MOST - 1)
    assert failed(CLOSED, MOST) == Breaker(MOST, NOW + FIRST_PAUSE_MS)


def test_a_success_between_them_does_not() -> None:
    assert failed(failed(CLOSED, MOST - 1).succeeded(NOW), MOST - 1) == Breaker(MOST - 1)


def test_pauses_double_up_to_the_longest() -> None:
    breaker, pauses = CLOSED, []
    for _ in range(MOST + 12):
        now = max(NOW, breaker.until)
        breaker = breaker.failed(now, now, 0.0)
        pauses.append(breaker.until - now)
    assert pauses[MOST - 1 :] == [min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS << one) for one in range(13)]


def test_a_probe_that_succeeds_closes_it() -> None:
    assert OPEN.succeeded(OPEN.until) == CLOSED


LONGEST = Breaker(MOST + 20, NOW + LONGEST_PAUSE_MS)
"""It opened just now, for the longest pause."""


@pytest.mark.parametrize("opened", [OPEN, LONGEST])
@pytest.mark.parametrize("before", [1, 30_000])
def test_what_began_before_it_opened_says_nothing_while_the_pause_lasts(opened: Breaker, before: int) -> None:
    assert opened.succeeded(NOW) is opened
    assert opened.succeeded(opened.until - 1) is opened
    assert opened.failed(NOW, NOW - before, 0.0) is opened
    assert opened.failed(opened.until - 1, NOW - before, 0.0) is opened


@pytest.mark.parametrize("opened", [OPEN, LONGEST])
def test_once_the_pause_is_over_a_success_closes_it_whoever_sent_that(opened: Breaker) -> None:
    assert opened.succeeded(opened.until) == CLOSED


@pytest.mark.parametrize("opened", [OPEN, LONGEST])
def test_once_the_pause_is_over_a_failure_of_before_does_not_lengthen_it(opened: Breaker) -> None:
    assert opened.failed(opened.until + 5000, NOW - 20_000, 0.0) is opened


def test_where_the_clock_has_fallen_back_the_one_that_is_tried_decides() -> None:
    now = NOW - 10 * LONGEST_PAUSE_MS
    assert OPEN.succeeded(now) == CLOSED
    assert OPEN.failed(now, now - 10, 0.0).until == now + 2 * FIRST_PAUSE_MS


def test_where_nothing_changes_it_is_the_same_one() -> None:
    """So nothing is written for each message that is taken."""
    assert CLOSED.succeeded(NOW) is CLOSED
    quick = Breaker()
    assert quick.succeeded(NOW) is quick


@pytest.mark.parametrize(
    ("retry_after", "pause"),
    [(None, FIRST_PAUSE_MS), (0, FIRST_PAUSE_MS), (7, 7000), (86_400, LONGEST_PAUSE_MS)],
)
def test_whoever_says_that_it_is_too_much_is_left_alone_at_once(
    retry_after: float | None, pause: int
) -> None:
    assert CLOSED.failed(NOW, NOW, 0.0, is_slow=True, retry_after=retry_after) == Breaker(1, NOW + pause)


def test_pauses_are_spread() -> None:
    opened = Breaker(MOST - 1).failed(NOW, NOW, 0.5)
    assert opened.until == NOW + FIRST_PAUSE_MS * 11 // 10


@given(
    st.lists(st.tuples(st.sampled_from(["ok", "no", "slow"]), st.integers(-3000, 10**6)), max_size=30),
    st.floats(0, 1, exclude_max=True),
)
def test_whatever_happens_it_is_tried_again_within_the_longest_pause(
    happens: list[tuple[str, int]], chance: float
) -> None:
    breaker, now = CLOSED, NOW
    for what, passes in happens:
        now += passes
        if what == "ok":
            breaker = breaker.succeeded(now)
        else:
            breaker = breaker.failed(now, now, chance, is_slow=what == "slow")
        assert breaker.may_try(now + LONGEST_PAUSE_MS, 0)
        assert not breaker.until or breaker.failures
