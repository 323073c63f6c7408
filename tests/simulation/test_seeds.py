"""A control plays each of its schedules, wherever it begins."""

import pytest

from .seeds import seeds


@pytest.mark.parametrize("first", [0, 3, 9, 10, 40])
def test_each_seed_is_played_once(first: int) -> None:
    assert sorted(seeds(10, first)) == list(range(10))


def test_the_one_that_has_shown_it_lately_comes_first() -> None:
    assert next(seeds(10, 7)) == 7
