"""Whatever breaks: who watches is given everything once and in order, or is told what is missing.

`world` has the promises. `SIMULATION_EXAMPLES=10000` plays a hundred times as many schedules.
"""

import random
from collections import Counter

import pytest

from tests.simulation.test_simulation import EXAMPLES

from .schedules import ALL, played, schedule
from .world import World

HAPPENED = {"cut", "killed", "fell back", "divided", "remade", "given", "reset", "limited"}


@pytest.mark.parametrize("names", [[], ["retain", "delete"], ["pass_time", "fall_back"], ["gap"], ALL])
def test_nothing_breaks_a_promise(names: list[str]) -> None:
    happened: Counter[str] = Counter()
    for seed in range(3 * EXAMPLES):
        broken, world = played(names, seed)
        assert not broken, f"seed {seed}: {broken}"
        happened += world.happened
    if names == ALL:
        assert set(happened) >= HAPPENED


def test_a_schedule_is_played_again_alike() -> None:
    first, second = (played(ALL, 7)[1] for _ in range(2))
    assert [client.given for client in first.clients] == [client.given for client in second.clients]


def test_each_operation_is_played() -> None:
    chance = random.Random(1)
    names = {name for _ in range(200) for name, *_ in schedule(ALL, chance)}
    assert names >= set(ALL)
    assert all(hasattr(World, name) for name in names)
