"""Whatever dies, freezes, is away or loses what it had: what is taken of an alert is told, once and in turn.

`world` has the promises. `SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules.
"""

from collections import Counter

import pytest

from relaycore.receiving import states
from tests.simulation.test_simulation import EXAMPLES

from .schedules import ALL, ARGUMENTS, AWAY, CLOCK, DYING, FALLING, LEAVING, played

HAPPENED = {"told", "taken", "stored", "lost", "fallen", "late", "away", "ended", "forgotten"}


@pytest.fixture(autouse=True)
def _forgets_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(states, "KEPT_MS", 120_000)


@pytest.mark.parametrize(
    "names",
    [[], DYING, AWAY, [*DYING, *LEAVING], [*AWAY, *FALLING], ALL, [*ALL, *CLOCK]],
    ids=["nothing", "dying", "away", "leaving", "falling", "all", "clock"],
)
def test_nothing_breaks_a_promise(names: list[str]) -> None:
    for seed in range(EXAMPLES):
        assert played(names, seed).broken == set(), f"seed {seed}"


def test_all_that_is_told_of_here_happens() -> None:
    """A fault that never comes is survived by everybody."""
    happened: Counter[str] = Counter()
    for seed in range(max(100, EXAMPLES)):
        happened.update(played(ALL, seed).happened)
    assert {name for name in HAPPENED if not happened[name]} == set()


def test_a_schedule_is_played_again_alike() -> None:
    first, second = (played(ALL, 7) for _ in range(2))
    assert first.channel.stored == second.channel.stored
    assert first.happened == second.happened


def test_each_operation_is_played() -> None:
    assert {*ALL, *CLOCK, "begin", "run"} == ARGUMENTS.keys()
