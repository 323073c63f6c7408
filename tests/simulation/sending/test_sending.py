"""Whatever breaks: what is owed to an endpoint reaches it, or is dead or on record.

`watch` has the promises. `SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules.
"""

from collections import Counter

import pytest

from tests.simulation.test_simulation import EXAMPLES

from .schedules import (
    ALL,
    ANSWERING,
    ARGUMENTS,
    DYING,
    LOOKING_AFTER,
    RETAINING,
    SEEKING,
    played,
)
from .world import READERS

HAPPENED = {
    *("retention", "expired", "age", "seek", "skip", "drop"),
    *("died", "parked", "redriven", "tried again", "repeated", "withheld"),
    *("sought", "chosen anew", "sent from before a seek", "read anew", "missed"),
    *("tried, closed", "tried, half-open"),
    *("held", "found", "has waited"),
    *("together", "divided", "smaller"),
}


@pytest.mark.parametrize(
    "names",
    [
        [],
        DYING,
        [*DYING, *ANSWERING],
        [*DYING, *ANSWERING, *RETAINING],
        [*DYING, *SEEKING],
        [*ANSWERING, *LOOKING_AFTER],
        ALL,
    ],
    ids=["nothing", "dying", "answering", "retaining", "seeking", "looking after", "all"],
)
def test_nothing_breaks_a_promise(names: list[str]) -> None:
    for seed in range(EXAMPLES):
        assert not played(names, seed).broken, f"seed {seed}"


@pytest.mark.parametrize("reader", [one.name for one in READERS])
def test_so_it_is_where_one_subscription_has_all_the_trouble(reader: str) -> None:
    for seed in range(EXAMPLES):
        assert not played(ALL, seed, reader).broken, f"seed {seed}"


def test_where_nothing_goes_wrong_nothing_is_sent_twice_or_on_record() -> None:
    happened: Counter[str] = Counter()
    for seed in range(EXAMPLES // 4):
        happened.update(+played([], seed, "plain", "ordered", has_faults=False).watch.happened)
    assert set(happened) <= {"tried, closed", "parked", "withheld"}


def test_where_nothing_goes_wrong_nothing_of_a_key_is_sent_twice_or_on_record() -> None:
    happened: Counter[str] = Counter()
    for seed in range(EXAMPLES // 4):
        happened.update(+played([], seed, "keyed", "keyed and filtered", has_faults=False).watch.happened)
    assert set(happened) <= {"tried, closed", "parked", "withheld", "held", "found", "has waited"}


def test_where_nothing_goes_wrong_what_goes_together_is_sent_once() -> None:
    happened: Counter[str] = Counter()
    for seed in range(EXAMPLES // 4):
        world = played([], seed, "batches", "batches in order", has_faults=False)
        assert not world.broken
        happened.update(+world.watch.happened)
    assert set(happened) <= {"tried, closed", "parked", "withheld", "together"}
    assert happened["together"]


def test_all_that_is_told_of_here_happens() -> None:
    """A fault that never comes is survived by everybody."""
    happened: Counter[str] = Counter()
    for seed in range(max(100, EXAMPLES)):
        happened.update(+played(ALL, seed).watch.happened)
    assert set(happened) >= HAPPENED


def test_a_schedule_is_played_again_alike() -> None:
    first, second = (played(ALL, 7) for _ in range(2))
    assert first.watch.happened == second.watch.happened
    assert first.ledger.entries.keys() == second.ledger.entries.keys()
    assert [one.cursor for one in first.ledger.entries.values()] == [
        one.cursor for one in second.ledger.entries.values()
    ]


def test_each_operation_is_played() -> None:
    assert {*ALL, "append", "run"} == ARGUMENTS.keys()
