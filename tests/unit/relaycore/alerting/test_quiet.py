"""Maintenance times: what comes then is passed over, by the clock of a zone, and by the time of the log."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule

from .inputs import T0, WINDOW, alert, message, said

# T0 is 22:13:20 in UTC, and 23:13:20 in Berlin.
BEGINS, ENDS = 40_000, 100_000
BERLIN = {"times": [{"start_time": "23:14", "end_time": "23:15"}], "location": "Europe/Berlin"}
MUTE = {"mute_time_intervals": [BERLIN]}
ACTIVE = {"active_time_intervals": [BERLIN]}

THRESHOLD = {"key": ["host"], "count": 2, "seconds": 30}
ABSENCE = {"key": ["host"], "seconds": 30}


def told(kind: str, settings: dict[str, Any], times: list[int], upto: int = 0) -> list[tuple[int, str]]:
    inputs = [
        alert(at, at / 60_000, 1, number=number) if kind == "window" else message(at, number, host="a")
        for number, at in enumerate(times)
    ]
    made = said(parse(kind, settings), inputs, upto or None)
    return [(causes.at_of(one.cause) - T0, one.output.kind) for one in made]


AROUND = [BEGINS - 1, BEGINS, ENDS - 1, ENDS]


def test_an_alert_that_comes_then_is_told_of_no_more_than_if_it_had_not_come() -> None:
    opened = [(at, "open") for at in AROUND]
    assert told("window", WINDOW, AROUND)[:1] == opened[:1]
    assert [one for one in told("window", {**WINDOW, **MUTE}, AROUND) if one[1] == "open"] == [
        opened[0],
        opened[3],
    ]
    assert [one for one in told("window", {**WINDOW, **ACTIVE}, AROUND) if one[1] == "open"] == opened[1:3]


def test_what_is_open_is_closed_also_then() -> None:
    assert told("window", {**WINDOW, **MUTE}, [0], 200_000) == [(0, "open"), (60_000, "close")]


@given(st.lists(st.integers(0, 150_000), max_size=12), st.sampled_from([MUTE, ACTIVE]))
def test_windows_and_thresholds_are_those_of_what_came_at_other_times(
    times: list[int], when: dict[str, Any]
) -> None:
    times.sort()
    taken = [at for at in times if (BEGINS <= at < ENDS) is (when is ACTIVE)]
    for kind, settings in (("window", WINDOW), ("threshold", THRESHOLD)):
        assert told(kind, {**settings, **when}, times, 300_000) == told(kind, settings, taken, 300_000)


CASES = {
    "it would open before": ([5_000], [(35_000, "open")]),
    "in it, and is counted anew": ([15_000], [(105_000, "open")]),
    "it comes again meanwhile": ([15_000, 50_000], [(110_000, "open")]),
    "it comes again after that": ([15_000, 100_001], [(130_001, "open")]),
    "it is open, and comes in it": ([0, 60_000], [(30_000, "open"), (60_000, "close"), (120_000, "open")]),
}


@pytest.mark.parametrize("name", CASES)
def test_nothing_is_missed_in_a_maintenance_time(name: str) -> None:
    times, expected = CASES[name]
    assert told("absence", {**ABSENCE, **MUTE}, times, 140_000) == expected


def test_what_is_forgotten_is_counted_from_the_same_time() -> None:
    settings = {**ABSENCE, **MUTE, "forget_seconds": 40}
    assert told("absence", settings, [15_000], 200_000) == [(105_000, "open"), (115_000, "close")]


@pytest.mark.parametrize("kind", ["window", "threshold", "absence"])
@pytest.mark.parametrize(
    "settings",
    [
        {"mute_time_intervals": None},
        {"mute_time_intervals": {}},
        {"mute_time_intervals": [{"location": "Nowhere/None"}]},
        {"active_time_intervals": [{"times": ["12:00"]}]},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(kind: str, settings: dict[str, Any]) -> None:
    whole = {"window": WINDOW, "threshold": THRESHOLD, "absence": ABSENCE}[kind]
    with pytest.raises(BadRule, match=r"settings\.(mute|active)_time_intervals: "):
        parse(kind, {**whole, **settings})
