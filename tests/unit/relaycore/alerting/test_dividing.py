"""Another number of shards: where each goes on, and how far each key was taken."""

from dataclasses import replace

import pytest

from relaycore.alerting.dividing import (
    Earlier,
    Part,
    Settings,
    Share,
    Written,
    are_passed,
    beginning,
    is_left_over,
)
from relaycore.alerting.items import Frontier
from relaycore.alerting.naming import shard_of
from relaycore.position import before_millisecond
from tests.simulation.dividing.world import AFTER, BEFORE, FRESH, RULE, T0


def part(division: int, shard: int, of: int, at: int, settings: Settings = BEFORE) -> Part:
    return Part(division, shard, of, 0, Frontier(before_millisecond(at), at, settings.revision), settings)


def test_a_shard_that_was_divided_before_the_edit_came_into_force_hands_on_what_it_was_handed() -> None:
    old, between = part(1, 0, 1, T0, AFTER), part(2, 0, 1, T0 + 5)
    earlier = Earlier(RULE, [between, old])
    assert earlier.settings_of("[1]", BEFORE) is AFTER
    assert earlier.settings_of("[1]", AFTER) is AFTER
    position = between.frontier.position
    assert not earlier.is_behind(position, T0 + 5, BEFORE)
    assert earlier.is_behind(position, T0 + 5, AFTER)


@pytest.mark.parametrize("times", [(T0, T0 + 5), (T0 + 5, T0)])
def test_how_far_a_key_was_taken_is_what_any_division_has_come_to(times: tuple[int, int]) -> None:
    """One that is divided again at once has not come to where those before it were."""
    earlier = Earlier(RULE, [part(division, 0, 1, at) for division, at in enumerate(times)])
    assert earlier.passed("[1]") == before_millisecond(T0 + 5)
    assert earlier.fired("[1]") == T0 + 5


@pytest.mark.parametrize("key", ["[1]", "[2]", "[3]"])
def test_who_had_a_key_has_said_how_far_it_was_taken(key: str) -> None:
    parts = [part(1, shard, 3, T0 + shard) for shard in range(3)]
    shard = shard_of(RULE, key, 3)
    assert Earlier(RULE, parts).passed(key) == before_millisecond(T0 + shard)
    others = [part for part in parts if part.shard != shard]
    assert Earlier(RULE, others).passed(key) == "", "who had it had not begun"


def test_a_shard_begins_where_the_last_one_of_those_before_has_come_to() -> None:
    assert beginning([], FRESH) == FRESH
    assert beginning([part(1, 1, 2, T0)], FRESH) == FRESH, "one had not begun"
    first = [part(1, 0, 1, T0, BEFORE)]
    second = [part(2, 0, 3, T0 + 9, AFTER), part(2, 1, 3, T0 + 5, AFTER)]
    found = beginning([*second, *first], FRESH)
    assert found == (replace(first[0].frontier, revision=1), BEFORE), "one had not begun"
    found = beginning([*second, part(2, 2, 3, T0 + 7, BEFORE), *first], FRESH)
    assert found == (replace(second[1].frontier, revision=1), BEFORE)


def test_those_before_are_of_no_use_once_all_have_begun_and_are_further() -> None:
    earlier = [part(1, 0, 2, T0), part(1, 1, 2, T0 + 5)]
    today = [part(2, 0, 3, T0 + 5), part(2, 1, 3, T0 + 6), part(2, 2, 3, T0 + 7)]
    assert are_passed(earlier, today)
    assert not are_passed(earlier, today[:2]), "one has not begun"
    assert not are_passed(earlier, [part(2, 0, 3, T0 + 4), *today[1:]])
    assert not are_passed([part(1, 0, 1, T0, AFTER)], today), "an edit has not come into force yet"
    assert not are_passed(earlier, [])


def test_what_is_added_after_somebody_else_has_begun_is_nobodys() -> None:
    def share(division: int, shard: int, of: int, term: int) -> Share:
        return Share(division, shard, of, term)

    key = "[1]"
    mine, other = shard_of(RULE, key, 3), (shard_of(RULE, key, 3) + 1) % 3
    by = Written(1, 0, 10)
    assert not is_left_over(RULE, key, by, [])
    assert not is_left_over(RULE, key, by, [share(1, 0, 1, 10)]), "the last that had it"
    assert not is_left_over(RULE, key, by, [share(1, 0, 1, 10), share(2, other, 3, 20)])
    assert is_left_over(RULE, key, by, [share(1, 0, 1, 11)]), "a later term of that division"
    assert is_left_over(RULE, key, by, [share(1, 0, 1, 10), share(2, mine, 3, 20)])
