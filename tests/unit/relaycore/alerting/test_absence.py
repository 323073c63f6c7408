"""Nothing for so long: opened by a timer, closed by the next message."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes
from relaycore.alerting.kinds.absence import Absence
from relaycore.alerting.kinds.texts import read_time, show_time
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule

from . import naive
from .inputs import T0, fresh, message, said

SETTINGS: dict[str, Any] = {"key": ["host"], "seconds": 0.01}
FORGETFUL = {**SETTINGS, "forget_seconds": 0.03}


def came(settings: Any, times: list[int], upto: int) -> list[naive.Came]:
    inputs = [message(at, number, host="a") for number, at in enumerate(times)]
    found = []
    for made in said(Absence(settings), inputs, upto):
        body = json.loads(made.output.message)
        assert list(body) == ["host", "eventType", "startTime", "endTime"]
        at = causes.at_of(made.cause) - T0
        assert body["endTime"] == (None if made.output.kind == "open" else show_time((at + T0) * 1000))
        found.append((at, made.output.kind, read_time(body["startTime"]) // 1000 - T0, 0))
    return found


CASES: dict[str, tuple[Any, list[int], list[naive.Came]]] = {
    "nothing ever came": (SETTINGS, [], []),
    "one, and then silence": (SETTINGS, [0], [(10, "open", 0, 0)]),
    "often enough": (SETTINGS, [0, 9, 18, 27], [(37, "open", 27, 0)]),
    "to the millisecond too late": (
        SETTINGS,
        [0, 10],
        [(10, "open", 0, 0), (10, "close", 0, 0)] + [(20, "open", 10, 0)],
    ),
    "two in one millisecond": (SETTINGS, [0, 5, 5], [(15, "open", 5, 0)]),
    "it closes with the next one": (
        SETTINGS,
        [0, 25],
        [(10, "open", 0, 0), (25, "close", 0, 0), (35, "open", 25, 0)],
    ),
    "forgotten": (FORGETFUL, [0], [(10, "open", 0, 0), (30, "close", 0, 0)]),
    "what comes after that is new": (
        FORGETFUL,
        [0, 30],
        [(10, "open", 0, 0), (30, "close", 0, 0), (40, "open", 30, 0), (60, "close", 30, 0)],
    ),
    "what comes right before is not forgotten": (
        FORGETFUL,
        [0, 29],
        [(10, "open", 0, 0), (29, "close", 0, 0), (39, "open", 29, 0), (59, "close", 29, 0)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    settings, times, expected = CASES[name]
    assert came(settings, times, 1000) == expected


@given(
    st.lists(st.integers(0, 12), max_size=12),
    *(st.integers(1, 8), st.none() | st.integers(1, 6), st.integers(0, 30)),
)
def test_what_is_told_is_what_a_naive_model_tells(
    waits: list[int], span: int, longer: int | None, more: int
) -> None:
    times = [sum(waits[: number + 1]) for number in range(len(waits))]
    settings = {"key": ["host"], "seconds": span / 1000}
    forgets = None if longer is None else span + longer
    if forgets is not None:
        settings["forget_seconds"] = forgets / 1000
    upto = sum(waits) + more
    assert came(settings, times, upto) == naive.absences(times, span, forgets, upto)


def test_what_is_open_is_shown_until_it_is_closed() -> None:
    kind, one = Absence(SETTINGS), message(0, host="a")
    state = fresh(kind.take(None, *kind.read(one), one.position).state)
    assert kind.shown(state) == []
    state = fresh(kind.fire(state, T0 + 10).state)
    (shown,) = kind.shown(state)
    assert shown["opened"] == causes.of_timer(T0 + 10)
    assert shown["starts_at"] == show_time(T0 * 1000)
    assert kind.due(state) is None


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"seconds": None}, "seconds: Not a number"),
        ({"forget_seconds": 0.01}, "forget_seconds: Not above seconds"),
        ({"count": 1}, "count: Not known"),
        ({"key": None}, "key: Not a list"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changed: Any, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        parse("absence", {**SETTINGS, **changed})
