"""Whatever the number of shards becomes, and how often: each output once, under one revision."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from relaycore.alerting import dividing
from relaycore.alerting.dividing import Beginning, Earlier, Part, Share, Written

from .world import BEFORE, PLACES, RULE, Divide, Division, Story, as_it_is, is_kept, log, tell


@pytest.mark.parametrize("begin", range(0, 2000, 200))
def test_each_output_is_told_once_and_under_one_revision(begin: int) -> None:
    for seed in range(begin, begin + 200):
        assert is_kept(seed), seed


def breaks(divide: Divide = as_it_is) -> bool:
    return not all(is_kept(seed, divide) for seed in range(300))


def test_control_how_far_a_key_was_taken_is_not_what_the_last_division_has_come_to() -> None:
    """One that was divided again at once has not come to where those before it were."""

    class Last(Earlier):
        def _look(self, key: str) -> Any:
            last = next((part for part in self._parts if part.has(RULE, key)), None)
            known = super()._look(key)
            if last is None:
                return known
            return known._replace(position=last.frontier.position, time=last.frontier.time)

    assert breaks(lambda parts: Last(RULE, parts))


def test_control_a_state_that_was_added_later_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dividing, "is_left_over", lambda *_: False)
    assert breaks()


def test_control_nor_is_one_that_was_added_after_a_later_term_of_the_same_shard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_left_over = dividing.is_left_over

    def of_divisions_alone(rule: str, key: str, by: Written, shares: Iterable[Share]) -> bool:
        return is_left_over(rule, key, by, [replace(one, term=0) for one in shares])

    monkeypatch.setattr(dividing, "is_left_over", of_divisions_alone)
    assert breaks()


def test_control_frontiers_of_before_that_go_as_soon_as_all_have_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def have_begun(earlier: Sequence[Part], today: Sequence[Part]) -> bool:
        return bool(today) and len(today) == today[0].of

    monkeypatch.setattr(dividing, "are_passed", have_begun)
    assert breaks()


def test_frontiers_of_before_do_go(monkeypatch: pytest.MonkeyPatch) -> None:
    found = list[bool]()
    are_passed = dividing.are_passed

    def noted(earlier: Sequence[Part], today: Sequence[Part]) -> bool:
        found.append(bool(earlier) and are_passed(earlier, today))
        return are_passed(earlier, today)

    monkeypatch.setattr(dividing, "are_passed", noted)
    assert not breaks()
    assert found.count(True) > 20


def test_control_who_has_not_begun_in_the_first_division_stands_where_the_rule_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begin = dividing.beginning

    def of_those_that_have_begun(parts: Sequence[Part], fresh: Beginning) -> Beginning:
        first = min((part.division for part in parts), default=0)
        return begin([replace(one, of=1) if one.division == first else one for one in parts], fresh)

    monkeypatch.setattr(dividing, "beginning", of_those_that_have_begun)
    assert breaks()


def test_control_the_least_settings_of_those_before(monkeypatch: pytest.MonkeyPatch) -> None:
    begin = dividing.beginning

    def under_the_latest(parts: Sequence[Part], fresh: Beginning) -> Beginning:
        found = begin(parts, fresh)
        latest = max((part.settings for part in parts), key=lambda one: one.revision, default=found.settings)
        return Beginning(replace(found.frontier, revision=latest.revision), latest)

    monkeypatch.setattr(dividing, "beginning", under_the_latest)
    assert breaks()


EDITED_IN_ONE: Division = [Story(5, True, 15), Story(5, False, 15)]


def test_control_if_all_went_on_under_the_settings_of_one_shard_it_is_told_twice() -> None:
    def alike(parts: Sequence[Part]) -> Earlier:
        return Earlier(RULE, [replace(one, settings=BEFORE) for one in parts])

    inputs = log([number % PLACES for number in range(30)])
    told = tell(inputs, [EDITED_IN_ONE], 3, 30, alike)
    assert any(len(revisions) > 1 for revisions in told.values())
    told = tell(inputs, [EDITED_IN_ONE], 3, 30)
    assert all(len(revisions) == 1 for revisions in told.values())
