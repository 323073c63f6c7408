"""Whatever dies, freezes, falls back or is edited: what is told is what the function says, once."""

from collections import Counter

import pytest

from relaycore.alerting import processing

from .messages import BY_KIND
from .schedules import ALL, played
from .world import KINDS


@pytest.fixture(autouse=True)
def _has_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processing, "MOST_UNSTORED", 6)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_told_is_what_the_function_says(kind: str) -> None:
    happened: Counter[str] = Counter()
    for seed in range(400):
        world = played(ALL, seed, kind)
        assert world.broken == set(), seed
        happened += world.happened
    for name in ("told", "timers", "terms", "over", "away", "fallen", "adopted", "ahead"):
        assert happened[name] > 50, name
    assert happened["lost"]
    assert bool(happened["forged"]) == (kind in BY_KIND)
