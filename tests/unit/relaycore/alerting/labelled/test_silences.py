"""Silences: when they hold, how they begin, change and end."""

from dataclasses import replace

import pytest

from relaycore.alerting.labelled import matchers, silences
from relaycore.alerting.labelled.refused import BadSilence
from relaycore.alerting.labelled.silences import Silence

_ONE = Silence("one", (matchers.parse("job=node"),), 1_000_000, 2_000_000)


@pytest.mark.parametrize(
    ("at", "state"),
    [(999_999, "pending"), (1_000_000, "active"), (1_999_999, "active"), (2_000_000, "expired")],
)
def test_hold_from_their_start_until_their_end(at: int, state: str) -> None:
    assert _ONE.state(at) == state
    assert _ONE.mutes({"job": "node"}, at) is (state == "active")


def test_hold_back_what_all_matchers_match() -> None:
    two = Silence("two", (*_ONE.matchers, matchers.parse("env=~prod|stage")), 1_000_000, 2_000_000)
    assert silences.muting([_ONE, two], {"job": "node", "env": "prod"}, 1_500_000) == ["one", "two"]
    assert silences.muting([_ONE, two], {"job": "node"}, 1_500_000) == ["one"]
    assert silences.muting([_ONE, two], {"env": "prod"}, 1_500_000) == []


def test_stand_among_the_settings_of_a_rule_as_they_are() -> None:
    assert silences.of(_ONE.kept()) == _ONE


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"matchers": ()}, "needs a matcher"),
        ({"matchers": (matchers.parse("a=~.*"), matchers.parse("b="))}, "silence everything"),
        ({"ends": 1_000_000}, "after its start"),
        ({"ends": 999_999}, "after its start"),
        ({"starts": 0, "ends": 500_000}, "in the past"),
    ],
)
def test_are_refused_where_they_cannot_be_meant(changed: dict[str, object], why: str) -> None:
    silences.require_new(_ONE, 900_000)
    with pytest.raises(BadSilence, match=why):
        silences.require_new(replace(_ONE, **changed), 900_000)  # type: ignore[arg-type]


def test_may_have_one_matcher_that_says_little() -> None:
    silences.require_new(replace(_ONE, matchers=(matchers.parse("a=~.*"), matchers.parse("b=c"))), 900_000)
    silences.require_new(replace(_ONE, matchers=(matchers.parse("a!=b"),)), 900_000)


_OTHERS = (matchers.parse("job=other"),)


@pytest.mark.parametrize(
    ("at", "changed", "is_same"),
    [
        # Active: only its end may be another one.
        (1_500_000, {}, True),
        (1_500_000, {"ends": 3_000_000}, True),
        (1_500_000, {"ends": 1_500_000}, True),
        (1_500_000, {"ends": 1_400_000}, False),
        (1_500_000, {"starts": 1_000_400}, True),  # amtool has no milliseconds of it.
        (1_500_000, {"starts": 1_200_000}, False),
        (1_500_000, {"matchers": _OTHERS}, False),
        # Pending: all times that are still to come.
        (500_000, {"starts": 600_000}, True),
        (500_000, {"starts": 400_000}, False),
        (500_000, {"matchers": _OTHERS}, False),
        # What has ended is not changed any more.
        (2_500_000, {"ends": 3_000_000}, False),
    ],
)
def test_change_only_what_is_still_to_come(at: int, changed: dict[str, object], is_same: bool) -> None:
    assert silences.is_same_after(_ONE, replace(_ONE, **changed), at) is is_same  # type: ignore[arg-type]


def test_do_not_ask_for_the_order_of_matchers() -> None:
    two = replace(_ONE, matchers=(*_ONE.matchers, *_OTHERS))
    assert silences.is_same_after(two, replace(two, matchers=(*_OTHERS, *_ONE.matchers)), 1_500_000)


def test_end_now_at_the_latest() -> None:
    assert silences.ended(_ONE, 1_500_000) == replace(_ONE, ends=1_500_000)
    assert silences.ended(_ONE, 500_000) == replace(_ONE, starts=500_000, ends=500_000)
    assert silences.ended(_ONE, 2_500_000) == _ONE
    for at in (500_000, 1_500_000, 2_500_000):
        assert silences.ended(_ONE, at).state(at) == "expired"


def test_begin_now_at_the_earliest() -> None:
    assert silences.beginning(_ONE, 1_500_000).starts == 1_500_000
    assert silences.beginning(_ONE, 500_000).starts == 1_000_000
