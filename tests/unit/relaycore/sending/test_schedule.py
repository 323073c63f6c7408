"""When a message that was not taken is tried again."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.delivering.leasing import LONGEST_MS as LONGEST_OF_PULL_MS
from relaycore.delivering.leasing import Delivery
from relaycore.errors import BadSubscription
from relaycore.sending.schedule import DEFAULT_SECONDS, LONGEST_MS, MOST_SECONDS, Schedule, parse
from tests.unit.relaycore.delivering.places import NOW, at

schedules = st.lists(st.integers(0, MOST_SECONDS), max_size=9).map(lambda rest: parse([0, *rest]))
chances = st.floats(0, 1, exclude_max=True)


def test_the_usual_one_is_that_of_standard_webhooks() -> None:
    waits = [Schedule().wait_ms(tries, 0.5) for tries in range(1, 11)]
    hour = 3_600_000
    assert waits == [
        *(5000, 300_000, 1_800_000, 2 * hour, 5 * hour, 10 * hour, 14 * hour, 20 * hour, 24 * hour),
        None,
    ]
    assert sum(DEFAULT_SECONDS) == 75 * 3600 + 35 * 60 + 5


@pytest.mark.parametrize(("chance", "wait"), [(0.0, 8000), (0.25, 9000), (0.5, 10_000), (0.999999, 12_000)])
def test_it_is_spread_by_a_fifth(chance: float, wait: int) -> None:
    assert Schedule((0, 10)).wait_ms(1, chance) == wait


@pytest.mark.parametrize(
    ("chance", "retry_after", "wait"),
    [
        (0.5, 0, 10_000),
        (0.0, 0, 10_000),  # Whoever asks for patience is not tried sooner than is planned.
        (0.5, 9.9, 10_000),
        (0.5, 15.5, 15_500),
        (0.5, 20, 20_000),
        (0.5, 31_536_000, 20_000),
        (0.75, 10, 11_000),
    ],
)
def test_what_the_endpoint_asks_for_counts_up_to_twice_the_plan(
    chance: float, retry_after: float, wait: int
) -> None:
    assert Schedule((0, 10)).wait_ms(1, chance, retry_after) == wait


@pytest.mark.parametrize("tries", [1, 2, 99])
def test_after_the_last_try_it_is_dead(tries: int) -> None:
    assert Schedule((0,)).wait_ms(tries, 0.5) is None


@given(schedules, st.integers(1, 12), chances, st.none() | st.floats(0, 10**9))
def test_no_row_is_due_later_than_the_longest_time(
    seconds: tuple[int, ...], tries: int, chance: float, retry_after: float | None
) -> None:
    wait = Schedule(seconds).wait_ms(tries, chance, retry_after)
    assert (wait is None) == (tries >= len(seconds))
    assert wait is None or 800 * seconds[tries] <= wait <= LONGEST_MS


@pytest.mark.parametrize(
    ("due_in", "longest_ms", "is_due"),
    [
        (LONGEST_OF_PULL_MS + 1, LONGEST_OF_PULL_MS, True),
        (LONGEST_OF_PULL_MS + 1, LONGEST_MS, False),
        (LONGEST_MS, LONGEST_MS, False),
        (LONGEST_MS + 1, LONGEST_MS, True),
    ],
)
def test_a_row_that_is_due_later_is_one_of_another_clock(due_in: int, longest_ms: int, is_due: bool) -> None:
    assert Delivery(at(1), b"", due_at=NOW + due_in).is_due(NOW, longest_ms) is is_due


@pytest.mark.parametrize("given", [[0], [0, 5], [0, 0, 0], [0, MOST_SECONDS], [0] * 100])
def test_a_schedule_is_a_list_of_seconds(given: list[int]) -> None:
    assert parse(given) == tuple(given)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "0",
        5,
        [],
        [5],
        [0, -1],
        [0, MOST_SECONDS + 1],
        [0, 1.5],
        [0, True],
        [False],
        [0, "5"],
        [0] * 101,
        {},
    ],
)
def test_nothing_else_is(given: Any) -> None:
    with pytest.raises(BadSubscription):
        parse(given)
