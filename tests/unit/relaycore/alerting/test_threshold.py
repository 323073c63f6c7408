"""So many within so much time: opened by the last of them, closed when they are fewer, or after silence."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes
from relaycore.alerting.items import Input, Step
from relaycore.alerting.kinds.texts import read_time, show_time
from relaycore.alerting.kinds.threshold import Threshold
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule, Unusable

from . import naive
from .inputs import T0, fresh, message, position, said

SETTINGS: dict[str, Any] = {"key": ["host"], "count": 3, "seconds": 0.01}
SILENT = {**SETTINGS, "close_silence_seconds": 0.02}


def came(settings: Any, times: list[int], upto: int) -> list[naive.Came]:
    """What is told of messages that came at these times, ms after `T0`."""
    inputs = [message(at, number, host="a") for number, at in enumerate(times)]
    found = []
    for made in said(Threshold(settings), inputs, upto):
        body = json.loads(made.output.message)
        assert list(body) == ["host", "eventType", "startTime", "endTime", "count"]
        assert body["eventType"] == made.output.kind
        at = causes.at_of(made.cause) - T0
        assert body["endTime"] == (None if made.output.kind == "open" else show_time((at + T0) * 1000))
        found.append((at, made.output.kind, read_time(body["startTime"]) // 1000 - T0, body["count"]))
    return found


CASES: dict[str, tuple[Any, list[int], list[naive.Came]]] = {
    "too few": (SETTINGS, [0, 1], []),
    "enough": (SETTINGS, [0, 1, 2], [(2, "open", 0, 3), (10, "close", 0, 3)]),
    "all in one millisecond": (SETTINGS, [5, 5, 5], [(5, "open", 5, 3), (15, "close", 5, 3)]),
    "just within the time": (SETTINGS, [0, 1, 9], [(9, "open", 0, 3), (10, "close", 0, 3)]),
    "to the millisecond too late": (SETTINGS, [0, 1, 10], []),
    "the first ones do not count any more": (
        SETTINGS,
        [0, 1, 10, 11, 12],
        [(12, "open", 10, 3), (20, "close", 10, 3)],
    ),
    "it stays open while enough come": (
        SETTINGS,
        [0, 1, 2, 9, 10, 11],
        [(2, "open", 0, 3), (19, "close", 0, 6)],
    ),
    "closed, and the next one opens it again": (
        SETTINGS,
        [0, 5, 6, 11],
        [(6, "open", 0, 3), (10, "close", 0, 3), (11, "open", 5, 3), (15, "close", 5, 3)],
    ),
    "closed and opened in one millisecond": (
        SETTINGS,
        [0, 5, 6, 10],
        [(6, "open", 0, 3), (10, "close", 0, 3), (10, "open", 5, 3), (15, "close", 5, 3)],
    ),
    "one is enough": ({**SETTINGS, "count": 1}, [0, 4], [(0, "open", 0, 1), (14, "close", 0, 2)]),
    "closed by silence alone": (SILENT, [0, 1, 2, 21], [(2, "open", 0, 3), (41, "close", 0, 4)]),
    "after silence counting begins anew": (
        {**SILENT, "seconds": 1},
        [0, 1, 2, 22, 23, 24],
        [(2, "open", 0, 3), (22, "close", 0, 3), (24, "open", 22, 3), (44, "close", 22, 3)],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    settings, times, expected = CASES[name]
    assert came(settings, times, 1000) == expected


@given(
    st.lists(st.integers(0, 6), max_size=14),
    *(st.integers(1, 4), st.integers(1, 12), st.none() | st.integers(1, 12), st.integers(0, 20)),
)
def test_what_is_told_is_what_a_naive_model_tells(
    waits: list[int], count: int, span: int, silence: int | None, more: int
) -> None:
    times = [sum(waits[: number + 1]) for number in range(len(waits))]
    settings = {"key": ["host"], "count": count, "seconds": span / 1000}
    if silence is not None:
        settings["close_silence_seconds"] = silence / 1000
    upto = sum(waits) + more
    assert came(settings, times, upto) == naive.thresholds(times, count, span, silence, upto)


def test_keys_are_counted_apart_and_all_together_without_one() -> None:
    inputs = [message(number, host=host, level=number) for number, host in enumerate("abc")]
    assert said(Threshold(SETTINGS), inputs) == []
    assert [one.key for one in said(Threshold({**SETTINGS, "key": []}), inputs)] == ["[]"]


def test_without_a_key_a_message_need_not_be_json() -> None:
    Threshold({**SETTINGS, "key": []}).read(Input(position(0), b"\xff"))
    with pytest.raises(Unusable, match="not JSON"):
        Threshold(SETTINGS).read(Input(position(0), b"\xff"))


def test_no_more_is_kept_than_is_counted_and_nothing_once_nothing_counts() -> None:
    kind, state = Threshold(SETTINGS), None
    for number in range(50):
        one = message(number // 10, number, host="a")
        state = fresh(kind.take(state, *kind.read(one), one.position).state)
        assert len(state["times"]) <= 3
    assert kind.shown(state)[0]["alerts"] == 50
    due = kind.due(state)
    assert due == T0 + 14
    step = kind.fire(state, due)
    assert step.state is None
    assert [one.kind for one in step.outputs] == ["close"]


def test_what_does_not_open_is_forgotten_in_time() -> None:
    kind = Threshold(SETTINGS)
    one = message(0, host="a")
    state = kind.take(None, *kind.read(one), one.position).state
    assert state is not None
    assert kind.shown(state) == []
    assert kind.due(state) == T0 + 10
    assert kind.fire(state, T0 + 10) == Step(None, ())


def test_where_more_are_wanted_now_what_is_open_is_over() -> None:
    kind, state = Threshold(SETTINGS), None
    for number in range(3):
        one = message(0, number, host="a")
        state = kind.take(state, *kind.read(one), one.position).state
    assert state is not None
    more = Threshold({**SETTINGS, "count": 4})
    due = more.due(state)
    assert due is not None
    assert due <= T0
    assert [one.kind for one in more.fire(state, T0 + 1).outputs] == ["close"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"count": 0}, "count: Not a whole number from 1 to 1000"),
        ({"count": 1001}, "count: Not a whole number"),
        ({"count": 2.0}, "count: Not a whole number"),
        ({"count": True}, "count: Not a whole number"),
        ({"seconds": 0}, "seconds: Not a number"),
        ({"seconds": 1e9}, "seconds: Not a number"),
        ({"close_silence_seconds": -1}, "close_silence_seconds: Not a number"),
        ({"key": ["count"]}, "key: Has count"),
        ({"n": 1}, "n: Not known"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changed: Any, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        parse("threshold", {**SETTINGS, **changed})
