"""Windows: opened at once, closed once, at their end."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes
from relaycore.alerting.items import Input
from relaycore.alerting.kinds import window
from relaycore.alerting.kinds.texts import read_time, show_time
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule, Unusable

from . import naive
from .inputs import MINUTE, T0, WINDOW, alert, fresh, message, position, said, told

KIND = Window(WINDOW)
HOUR = 60 * MINUTE
MIXED = "Mixed Threats"


def only(at: int, **changed: Any) -> Input:
    members = {"location": "Berlin", "type": "fire", "timestamp": show_time(T0 * 1000), "duration": 5}
    return message(at, **{**members, **changed})


# --- the table of cases: alerts (received at ms, start and length in minutes) -> what is told ------

CASES: dict[str, tuple[list[Input], list[Any]]] = {
    "one": ([alert(0, 0, 5)], [("open", 0, 5, "fire"), ("close", 0, 5, "fire")]),
    "overlapping": (
        [alert(0, 0, 5), alert(1, 3, 5)],
        [("open", 0, 5, "fire"), ("open", 3, 8, "fire"), ("close", 0, 8, "fire")],
    ),
    "touching": (
        [alert(0, 0, 5), alert(1, 5, 5)],
        [("open", 0, 5, "fire"), ("open", 5, 10, "fire"), ("close", 0, 10, "fire")],
    ),
    "touching from below": (
        [alert(0, 5, 5), alert(1, 0, 5)],
        [("open", 5, 10, "fire"), ("open", 0, 5, "fire"), ("close", 0, 10, "fire")],
    ),
    "contained": (
        [alert(0, 0, 9), alert(1, 3, 1)],
        [("open", 0, 9, "fire"), ("open", 3, 4, "fire"), ("close", 0, 9, "fire")],
    ),
    "containing": (
        [alert(0, 3, 1), alert(1, 0, 9)],
        [("open", 3, 4, "fire"), ("open", 0, 9, "fire"), ("close", 0, 9, "fire")],
    ),
    "a later one that ends earlier does not shorten": (
        [alert(0, 0, 9), alert(1, 1, 2)],
        [("open", 0, 9, "fire"), ("open", 1, 3, "fire"), ("close", 0, 9, "fire")],
    ),
    "disjoint": (
        [alert(0, 0, 2), alert(1, 3, 2)],
        [("open", 0, 2, "fire"), ("open", 3, 5, "fire"), ("close", 0, 2, "fire"), ("close", 3, 5, "fire")],
    ),
    "several that lie ahead": (
        [alert(0, 20, 2), alert(1, 10, 2), alert(2, 30, 2)],
        [("open", 20, 22, "fire"), ("open", 10, 12, "fire"), ("open", 30, 32, "fire")]
        + [("close", 10, 12, "fire"), ("close", 20, 22, "fire"), ("close", 30, 32, "fire")],
    ),
    "a bridge between two": (
        [alert(0, 10, 2), alert(1, 14, 2), alert(2, 11, 4)],
        [("open", 10, 12, "fire"), ("open", 14, 16, "fire"), ("open", 11, 15, "fire")]
        + [("close", 10, 16, "fire")],
    ),
    "late": (
        [alert(0, 0, 2), alert(2 * HOUR, 60, 5)],
        [
            ("open", 0, 2, "fire"),
            ("close", 0, 2, "fire"),
            ("open", 60, 65, "fire"),
            ("close", 60, 65, "fire"),
        ],
    ),
    "late, while another window is open": (
        [alert(HOUR, 50, 60), alert(HOUR + 1, 10, 5)],
        [("open", 50, 110, "fire"), ("open", 10, 15, "fire"), ("close", 10, 15, "fire")]
        + [("close", 50, 110, "fire")],
    ),
    "late by itself, and part of an open window": (
        [alert(HOUR, 50, 60), alert(HOUR + 1, 48, 4)],
        [("open", 50, 110, "fire"), ("open", 48, 52, "fire"), ("close", 48, 110, "fire")],
    ),
    "it ends in the millisecond in which it came": (
        [alert(5 * MINUTE, 0, 5)],
        [("open", 0, 5, "fire"), ("close", 0, 5, "fire")],
    ),
    "one that touches in time, when the other has been closed": (
        [alert(0, 0, 5), alert(5 * MINUTE, 5, 5)],
        [("open", 0, 5, "fire"), ("close", 0, 5, "fire"), ("open", 5, 10, "fire"), ("close", 5, 10, "fire")],
    ),
    "a millisecond before that they are one": (
        [alert(0, 0, 5), alert(5 * MINUTE - 1, 5, 5)],
        [("open", 0, 5, "fire"), ("open", 5, 10, "fire"), ("close", 0, 10, "fire")],
    ),
    "two in the same millisecond": (
        [alert(0, 0, 5), alert(0, 4, 5, number=1)],
        [("open", 0, 5, "fire"), ("open", 4, 9, "fire"), ("close", 0, 9, "fire")],
    ),
    "types that differ": (
        [alert(0, 0, 5), alert(1, 1, 1, type="flood"), alert(2, 2, 1)],
        [("open", 0, 5, "fire"), ("open", 1, 2, "flood"), ("open", 2, 3, "fire"), ("close", 0, 5, MIXED)],
    ),
    "types that differ, in windows that do not overlap": (
        [alert(0, 0, 1), alert(1, 2, 1, type="flood")],
        [("open", 0, 1, "fire"), ("open", 2, 3, "flood"), ("close", 0, 1, "fire"), ("close", 2, 3, "flood")],
    ),
    "fractions of minutes": (
        [alert(0, 0, 0.5), alert(1, 0.25, 0.5)],
        [("open", 0, 0.5, "fire"), ("open", 0.25, 0.75, "fire"), ("close", 0, 0.75, "fire")],
    ),
    "places apart": (
        [alert(0, 0, 5), alert(1, 0, 6, location="Rome", type="flood")],
        [("open", 0, 5, "fire"), ("open", 0, 6, "flood"), ("close", 0, 5, "fire"), ("close", 0, 6, "flood")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    alerts, expected = CASES[name]
    assert told(said(KIND, alerts, 3 * HOUR)) == expected


def test_none_is_closed_before_its_end_and_each_at_it() -> None:
    assert told(said(KIND, [alert(0, 0, 5)], 5 * MINUTE - 1)) == [("open", 0, 5, "fire")]
    closed = said(KIND, [alert(0, 0, 5)], 5 * MINUTE)[-1]
    assert closed.output.kind == "close"
    assert closed.cause == causes.of_timer(T0 + 5 * MINUTE)


def test_an_end_between_two_milliseconds_is_not_told_before() -> None:
    at = show_time(T0 * 1000 + 1)
    assert [one.output.kind for one in said(KIND, [only(0, timestamp=at)], 5 * MINUTE)] == ["open"]
    assert [one.output.kind for one in said(KIND, [only(0, timestamp=at)], 5 * MINUTE + 1)][-1] == "close"


def test_twenty_of_one_place_in_one_millisecond_are_one_window() -> None:
    alerts = [alert(0, number % 7, 3, number=number) for number in range(20)]
    made = said(KIND, alerts, HOUR)
    assert [one.output.kind for one in made] == ["open"] * 20 + ["close"]
    assert told(made)[-1] == ("close", 0, 9, "fire")
    assert len({one.id for one in made}) == 21


def test_the_message_is_one_object_with_its_members_in_order() -> None:
    opened, closed = said(KIND, [only(0, location="Köln", timestamp="2022-11-21T12:00:00Z")])
    assert opened.output.message == (
        '{"location": "Köln", "type": "fire", "eventType": "open", '
        '"sentTime": "2022-11-21T12:00:00+00:00", "startTime": "2022-11-21T12:00:00+00:00", '
        '"duration": "2022-11-21T12:05:00+00:00", "endTime": "2022-11-21T12:05:00+00:00"}'
    )
    assert closed.output.message == opened.output.message.replace('"open"', '"close"')
    assert list(json.loads(closed.output.message)) == ["location", "type", *window.TOLD]


def test_texts_that_need_it_are_escaped() -> None:
    hostile = '</script>"\\\n\x00\u2028 é 🔥'
    (opened,) = said(KIND, [only(0, location=hostile)])
    assert json.loads(opened.output.message)["location"] == hostile


def test_with_close_on_extend_the_old_window_is_closed_each_time_it_changes() -> None:
    kind = Window({**WINDOW, "close_on_extend": True})
    alerts = [alert(0, 10, 2), alert(1, 14, 2), alert(2, 11, 0.5), alert(3, 11, 4)]
    assert told(said(kind, alerts, HOUR)) == [
        ("open", 10, 12, "fire"),
        ("open", 14, 16, "fire"),
        ("open", 11, 11.5, "fire"),
        ("close", 10, 12, "fire"),
        ("close", 14, 16, "fire"),
        ("open", 11, 15, "fire"),
        ("close", 10, 16, "fire"),
    ]


def test_what_is_told_names_the_alert_by_the_cause_that_opened_it() -> None:
    made = said(KIND, [alert(0, 10, 2), alert(1, 14, 2), alert(2, 11, 4)], HOUR)
    first, second, bridge, closed = [one.attributes for one in made]
    assert first["alert-id"] != second["alert-id"]
    assert bridge["alert-id"] == closed["alert-id"] == first["alert-id"]
    assert bridge["merged-alerts"] == second["alert-id"]
    assert "merged-alerts" not in first


def test_what_is_open_is_shown_window_by_window() -> None:
    state = None
    for number, one in enumerate([alert(0, 0, 5), alert(1, 1, 5, type="flood"), alert(2, 30, 5)]):
        state = KIND.take(state, *KIND.read(one), position(number)).state
    assert state is not None
    first, second = KIND.shown(state)
    assert first == {
        "key": {"location": "Berlin"},
        "opened": position(0),
        "starts_at": show_time(T0 * 1000),
        "ends_at": show_time((T0 + 6 * MINUTE) * 1000),
        "alerts": 2,
        "said": {"type": MIXED},
    }
    assert second["opened"] == position(2)


def test_more_windows_of_one_place_than_may_be_become_one_where_they_are_nearest(monkeypatch: Any) -> None:
    monkeypatch.setattr(window, "MOST_WINDOWS", 3)
    alerts = [alert(0, 10, 1), alert(1, 20, 1), alert(2, 25, 1), alert(3, 90, 1, type="flood")]
    closed = [one for one in told(said(KIND, alerts, 2 * HOUR)) if one[0] == "close"]
    assert closed == [("close", 10, 11, "fire"), ("close", 20, 26, "fire"), ("close", 90, 91, "flood")]


# --- what is read --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "time",
    [
        *("2024-11-21T12:00:00Z", "2024-11-21T12:00:00", "2024-11-21 12:00:00", "2024-11-21T12:00:00.000000"),
        *("2024-11-21T13:00:00+01:00", "20241121T120000Z", "2024-11-21T06:30:00-0530", "2024-11-21T12:00Z"),
    ],
)
def test_times_are_read_in_any_form_of_iso_8601_and_told_in_one(time: str) -> None:
    (read,) = KIND.read(only(0, timestamp=time))
    assert show_time(read.start) == "2024-11-21T12:00:00+00:00"
    assert show_time(read.end) == "2024-11-21T12:05:00+00:00"


def test_a_microsecond_is_not_lost() -> None:
    (read,) = KIND.read(only(0, timestamp="2024-11-21T12:00:00.123456+00:00", duration=0.1))
    assert show_time(read.start) == "2024-11-21T12:00:00.123456+00:00"
    assert show_time(read.end) == "2024-11-21T12:00:06.123456+00:00"


def test_before_1970_is_late_and_not_wrong() -> None:
    made = said(KIND, [only(0, timestamp="1912-04-14T23:40:00Z")])
    assert [one.output.kind for one in made] == ["open", "close"]
    assert json.loads(made[1].output.message)["endTime"] == "1912-04-14T23:45:00+00:00"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"location": ""}, "location is blank."),
        ({"location": " \t"}, "location is blank."),
        ({"location": None}, "location is missing."),
        ({"location": ["x"]}, "location is neither a text nor a number."),
        ({"location": "x" * 1001}, "location has more than 1000 characters."),
        ({"location": 1 << 63}, "location is a number of more than 64 bits."),
        ({"location": "\ud800"}, "location has half a surrogate pair in it."),
        ({"location": float("nan")}, "location is neither a text nor a number."),
        ({"type": None}, "type is missing."),
        ({"type": {}}, "type is neither a text nor a number."),
        ({"timestamp": None}, "timestamp is missing."),
        ({"timestamp": 1732190000}, "timestamp is not a text."),
        ({"timestamp": ""}, "timestamp is not a time"),
        ({"timestamp": "soon"}, "timestamp is not a time"),
        ({"timestamp": "12:00"}, "timestamp is not a time"),
        ({"timestamp": "2024-13-01T00:00:00Z"}, "timestamp is not a time"),
        ({"timestamp": "0001-01-01T00:00:00+01:00"}, "timestamp is not a time"),
        ({"timestamp": "9999-12-31T23:59:59-01:00"}, "timestamp is not a time"),
        ({"timestamp": "9999-12-31T23:59:59Z"}, "It ends after the year 2286."),
        ({"timestamp": "2024-11-21T12:00:00Z", "duration": 2e8}, "It ends after the year 2286."),
        ({"duration": 0}, "duration is not above 0."),
        ({"duration": -0.0}, "duration is not above 0."),
        ({"duration": -5}, "duration is not above 0."),
        ({"duration": None}, "duration is missing."),
        ({"duration": "5"}, "duration is not a number of minutes."),
        ({"duration": True}, "duration is not a number of minutes."),
        ({"duration": float("inf")}, "duration is too large."),
        ({"duration": float("nan")}, "duration is not above 0."),
        ({"duration": 1e300}, "duration is too large."),
        ({"duration": 10**400}, "duration is too large."),
    ],
)
def test_what_cannot_be_used_is_said_with_its_reason_and_without_its_values(changed: Any, why: str) -> None:
    with pytest.raises(Unusable, match=why.replace(".", r"\.")):
        KIND.read(only(0, **changed))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ('{"location": ' + "1" * 5000 + "}", "not JSON"),
        (b"\xff", "not JSON"),
        ("[]", "not a JSON object"),
        ('"x"', "not a JSON object"),
        ("null", "not a JSON object"),
    ],
)
def test_a_body_that_is_no_object(text: str | bytes, why: str) -> None:
    with pytest.raises(Unusable, match=why):
        KIND.read(Input(position(0), text))


def test_a_duration_that_is_hardly_one_is_a_microsecond() -> None:
    (read,) = KIND.read(only(0, duration=5e-324))
    assert read.end == read.start + 1


def test_members_that_nobody_asked_for_are_left_out() -> None:
    (opened,) = said(KIND, [only(0, id="7", secret="x")])
    assert "secret" not in opened.output.message


# --- other settings ------------------------------------------------------------------------


def test_an_alert_may_close_by_itself_after_silence() -> None:
    kind = Window({"key": ["host"], "start": "receipt", "duration": {"seconds": 60}})
    inputs = [message(0, host="a"), message(30_000, host="a"), message(200_000, host="a")]
    made = said(kind, inputs, 300_000)
    assert [(one.output.kind, causes.at_of(one.cause) - T0) for one in made] == [
        ("open", 0),
        ("open", 30_000),
        ("close", 90_000),
        ("open", 200_000),
        ("close", 260_000),
    ]


def test_an_end_may_be_given_instead_of_a_duration() -> None:
    kind = Window({"key": ["a", "b"], "start": {"field": "from"}, "end": {"field": "to"}, "merge": {}})
    members = {"from": "2024-11-21T12:00:00Z", "to": "2024-11-21T12:05:00Z", "a": 1, "b": True}
    (opened,) = said(kind, [message(-(10**11) * 3, **members)])
    assert opened.key == "[1,true]"
    assert json.loads(opened.output.message)["a"] == 1
    for end in ("2024-11-21T12:00:00Z", "2024-11-21T11:00:00Z"):
        with pytest.raises(Unusable, match="not above its start"):
            kind.read(message(0, **{**members, "to": end}))


def test_without_a_key_all_belong_together() -> None:
    kind = Window({"key": [], "start": "receipt", "duration": {"seconds": 1}})
    made = said(kind, [message(0, x=1), message(10, x=2)], HOUR)
    assert [(one.key, one.output.kind) for one in made] == [("[]", "open"), ("[]", "open"), ("[]", "close")]


def bad(**changed: Any) -> Any:
    return {name: value for name, value in {**WINDOW, **changed}.items() if value is not ...}


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ([], "settings: Not an object"),
        (bad(key=...), "settings.key: Missing"),
        (bad(key="location"), "settings.key: Not a list of 0 to 5"),
        (bad(key=list("abcdef")), "settings.key: Not a list of 0 to 5"),
        (bad(key=["a", "a"]), "settings.key: Has the same field twice"),
        (bad(key=[""]), r"settings.key\[0\]: Not the name of a field"),
        (bad(key=["a.b"]), r"settings.key\[0\]: Begins with"),
        (bad(key=["$a"]), r"settings.key\[0\]: Begins with"),
        (bad(key=["a\x00"]), r"settings.key\[0\]: Begins with"),
        (bad(key=["eventType"]), "settings.key: Has eventType"),
        (bad(start=...), "settings.start: Missing"),
        (bad(start="now"), "settings.start: Not an object"),
        (bad(start={"field": 1}), "settings.start.field: Not the name"),
        (bad(start={"field": "a", "zone": "b"}), "settings.start.zone: Not known"),
        (bad(duration=...), "settings.duration: Give either"),
        (bad(end={"field": "x"}), "settings.duration: Give either"),
        (bad(duration={"field": "a"}), "settings.duration.unit: Missing"),
        (bad(duration={"field": "a", "unit": "days"}), "settings.duration.unit: Not one of"),
        (bad(duration={"seconds": 0}), "settings.duration.seconds: Not a number"),
        (bad(duration={"seconds": float("nan")}), "settings.duration.seconds: Not a number"),
        (bad(duration={"seconds": True}), "settings.duration.seconds: Not a number"),
        (bad(merge=[]), "settings.merge: Not an object"),
        (bad(merge={"location": "x"}), "settings.merge: Has location"),
        (bad(merge={"endTime": "x"}), "settings.merge: Has endTime"),
        (bad(merge={"type": " "}), "settings.merge.type: Not a text"),
        (bad(merge={"type": 1}), "settings.merge.type: Not a text"),
        (bad(close_on_extend="no"), "settings.close_on_extend: Neither"),
        (bad(colour="red"), "settings.colour: Not known"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: Any, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        parse("window", settings)


def test_a_kind_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadRule, match=r"kind: Not one of: window, threshold, "):
        parse("sliding", WINDOW)


# --- against the naive model ---------------------------------------------------------------

one = st.tuples(
    *(st.integers(0, 4), st.sampled_from(["a", "b"]), st.integers(-3, 12), st.integers(1, 8)),
    *(st.sampled_from(["fire", "flood"]), st.sampled_from([0, 500, 999])),
)


@given(st.lists(one, max_size=14), st.integers(0, 20))
def test_what_is_told_is_what_a_naive_model_tells(steps: list[Any], more: int) -> None:
    """Times of few values, so that much touches, overlaps and comes in the same millisecond."""
    at, alerts, inputs = 0, [], []
    for number, (wait, place, start, length, type, rest) in enumerate(steps):
        at += wait
        begin = (T0 + start) * 1000 + rest
        alerts.append(naive.Alert(T0 + at, place, begin, begin + length * 1000, type))
        members = {
            "location": place,
            "type": type,
            "timestamp": show_time(begin),
            "duration": length / MINUTE,
        }
        inputs.append(message(at, number, **members))
    found = []
    for made in said(KIND, inputs, at + more):
        body = json.loads(made.output.message)
        times = read_time(body["startTime"]), read_time(body["endTime"])
        found.append((causes.at_of(made.cause), made.output.kind, body["location"], *times, body["type"]))
    expected = naive.windows(alerts, T0 + at + more)
    assert sorted(found) == sorted(expected)
    for place in "ab":
        assert [x for x in found if x[2] == place] == [x for x in expected if x[2] == place]


@given(st.lists(one, min_size=1, max_size=10), st.data())
def test_a_state_that_was_kept_goes_on_alike(steps: list[Any], data: Any) -> None:
    """Whatever is kept of it comes back from JSON."""
    at, state, other = 0, None, None
    for number, (wait, _, start, length, type, _) in enumerate(steps):
        at += wait
        (read,) = KIND.read(alert(at, start / MINUTE, length / MINUTE, type=type))
        cause = position(at, number)
        step = KIND.take(state, read, cause)
        assert KIND.take(other, read, cause) == step
        state, other = step.state, fresh(step.state)
        if state is not None:
            ends = [found["end"] for found in state["windows"]]
            assert KIND.due(state) == min(-(-end // 1000) for end in ends)
            ordered = state["windows"]
            apart = all(ordered[i]["end"] < ordered[i + 1]["start"] for i in range(len(ordered) - 1))
            assert apart
