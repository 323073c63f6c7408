"""An alert that nobody has acknowledged for so long is told, until somebody has, or it is closed."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import acknowledging, causes
from relaycore.alerting.items import Input
from relaycore.alerting.kinds.texts import read_time, show_time
from relaycore.alerting.kinds.unacknowledged import Unacknowledged
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule, Unusable
from relaycore.publishing import producers

from . import inputs
from .inputs import RULE, T0, WINDOW, alert, fresh, position, said

KIND = Unacknowledged({"seconds": 0.01})
FORGETS = Unacknowledged({"seconds": 0.01, "forget_seconds": 0.05})
ID = "0123456789abcdef01234567"
OTHER = "76543210fedcba9876543210"
BY_PEOPLE, BY_RULE = producers.PEOPLE, producers.rule("by-location")
DONE = (acknowledging.ACKNOWLEDGE, acknowledging.RELEASE)


def of(at: int, event: str, number: int = 0, id: str = ID, body: str = '{"location": "Berlin"}') -> Input:
    attributes = {"alert-id": id, "event": event, "rule": RULE}
    return Input(position(at, number), body, attributes, BY_PEOPLE if event in DONE else BY_RULE)


def told(
    steps: list[tuple[int, str]], upto: int = 1000, kind: Unacknowledged = KIND
) -> list[tuple[int, str]]:
    made = said(kind, [of(at, event, number) for number, (at, event) in enumerate(steps)], upto)
    return [(causes.at_of(one.cause) - T0, one.output.kind) for one in made]


CASES: dict[str, tuple[list[tuple[int, str]], list[tuple[int, str]]]] = {
    "nobody does anything": ([(0, "open")], [(10, "open")]),
    "acknowledged in time": ([(0, "open"), (9, "acknowledge")], []),
    "acknowledged to the millisecond too late": (
        [(0, "open"), (10, "acknowledge")],
        [(10, "open"), (10, "close")],
    ),
    "closed in time": ([(0, "open"), (9, "close")], []),
    "closed after that": ([(0, "open"), (20, "close")], [(10, "open"), (20, "close")]),
    "extended, which changes nothing": ([(0, "open"), (9, "open")], [(10, "open")]),
    "extended after it was acknowledged": ([(0, "open"), (5, "acknowledge"), (6, "open")], []),
    "released": ([(0, "open"), (5, "acknowledge"), (7, "release")], [(17, "open")]),
    "released without having been acknowledged": ([(0, "open"), (5, "release")], [(10, "open")]),
    "acknowledged, closed, and open again": (
        [(0, "open"), (5, "acknowledge"), (6, "close"), (7, "open")],
        [(17, "open")],
    ),
    "acknowledged and not known": ([(0, "acknowledge"), (1, "close"), (2, "release")], []),
    "something else": ([(0, "note"), (1, "open"), (2, "note")], [(11, "open")]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    steps, expected = CASES[name]
    assert told(steps) == expected


def naive(steps: list[tuple[int, str]], upto: int, forgets: int | None = None) -> list[tuple[int, str]]:
    found, state, since = [], "none", 0
    for now in range(upto + 1):
        if state == "waits" and now - since >= 10:
            found.append((now, "open"))
            state = "told"
        if state != "none" and forgets is not None and now - since >= forgets:
            found += [(now, "close")] if state == "told" else []
            state = "none"
        for _, event in [one for one in steps if one[0] == now]:
            if state == "told" and event in ("acknowledge", "close"):
                found.append((now, "close"))
            if event == "open" and state == "none":
                state, since = "waits", now
            elif event == "close":
                state = "none"
            elif event == "acknowledge" and state != "none":
                state = "acknowledged"
            elif event == "release" and state == "acknowledged":
                state, since = "waits", now
    return found


EVENTS = st.sampled_from(["open", "close", "acknowledge", "release", "note"])


@given(st.lists(st.tuples(st.integers(0, 12), EVENTS), max_size=10))
def test_what_is_told_is_what_a_naive_model_tells(waits: list[tuple[int, str]]) -> None:
    steps, at = [], 0
    for wait, event in waits:
        at += wait
        steps.append((at, event))
    assert told(steps, at + 15) == naive(steps, at + 15)
    forgets = Unacknowledged({"seconds": 0.01, "forget_seconds": 0.02})
    assert told(steps, at + 30, forgets) == naive(steps, at + 30, 20)


def test_what_has_become_part_of_another_one_has_ended_by_that() -> None:
    said_of = {"alert-id": ID, "event": "open", "rule": RULE, "merged-alerts": f"{OTHER},{ID},x"}
    merges = Input(position(20), "{}", said_of, BY_RULE)
    made = said(KIND, [of(0, "open"), of(1, "open", id=OTHER), merges], 1000)
    found = [(one.output.kind, json.loads(one.output.message)["alert"]) for one in made]
    assert found == [("open", ID), ("open", OTHER), ("close", OTHER)]


def test_the_shard_of_an_alert_hears_of_its_end_as_part_of_one_of_another_shard() -> None:
    kind = Unacknowledged({"seconds": 0.01})
    shards = [inputs.of(kind, shard, 2) for shard in range(2)]
    ids = [f"{number:024x}" for number in range(20)]
    merges = {"alert-id": ID, "event": "open", "rule": RULE, "merged-alerts": ",".join(ids)}
    for one in shards:
        one.take([*(of(0, "open", number, id) for number, id in enumerate(ids))])
        one.take([Input(position(20), "{}", merges, BY_RULE)])
    made = [[made.output.kind for made in one.outputs()] for one in shards]
    assert [one.count("open") == one.count("close") > 0 for one in made] == [True, True]
    assert sum(one.count("close") for one in made) == len(ids)


def test_it_reads_what_a_rule_says_of_windows_that_have_become_one() -> None:
    apart = [alert(0, 10, 5), alert(1, 20, 5), alert(2, 12, 10)]
    (_, second, both) = said(parse("window", WINDOW), apart)
    read = KIND.read(Input(position(3), both.output.message, both.attributes, BY_RULE))
    assert [(one.alert, one.event) for one in read] == [
        (both.attributes["alert-id"], "open"),
        (second.attributes["alert-id"], "close"),
    ]


def test_what_nobody_says_any_more_of_is_forgotten() -> None:
    assert told([(0, "open")], kind=FORGETS) == [(10, "open"), (50, "close")]
    steps = [(0, "open"), (5, "acknowledge"), (60, "release"), (61, "open")]
    assert told(steps, kind=FORGETS) == [(71, "open"), (111, "close")]


def test_what_people_do_is_said_as_a_message_beside_the_others() -> None:
    for event in DONE:
        beside = acknowledging.attributes(ID, event, RULE)
        assert acknowledging.is_by_people(beside)
        text = acknowledging.message(ID, event, T0 * 1000)
        (read,) = KIND.read(Input(position(0), text, beside, BY_PEOPLE))
        assert (read.alert, read.event) == (ID, event)
    for attributes in (None, {}, {"event": "acknowledge"}, {"event": "open", "alert-id": ID}):
        assert not acknowledging.is_by_people(attributes)


def test_what_is_told_says_of_which_alert_and_what_had_opened_it() -> None:
    opened, closed = said(KIND, [of(0, "open"), of(20, "acknowledge", body="")], 100)
    body = json.loads(opened.output.message)
    assert list(body) == ["alert", "about", "eventType", "startTime", "endTime"]
    assert (body["alert"], body["about"]) == (ID, {"location": "Berlin"})
    assert read_time(body["startTime"]) // 1000 == T0
    assert json.loads(closed.output.message)["endTime"] == show_time((T0 + 20) * 1000)


@pytest.mark.parametrize(
    "body", ["no JSON", "[]", '{"a": NaN}', '{"a": "\\ud800"}', json.dumps({"a": "x" * 4000})]
)
def test_what_cannot_be_shown_is_left_out(body: str) -> None:
    (opened,) = said(KIND, [of(0, "open", body=body)], 100)
    assert "about" not in json.loads(opened.output.message)


def test_it_reads_what_another_rule_says() -> None:
    first = said(parse("window", WINDOW), [alert(0, 0, 5)])
    (made,) = first
    (read,) = KIND.read(Input(position(1), made.output.message, made.attributes, BY_RULE))
    assert (read.alert, read.event) == (made.attributes["alert-id"], "open")


@pytest.mark.parametrize("attributes", [{}, {"alert-id": "x"}, {"alert-id": "é" * 24}])
def test_what_is_said_of_no_alert_cannot_be_used(attributes: Any) -> None:
    with pytest.raises(Unusable, match="alert-id"):
        KIND.read(Input(position(0), "{}", attributes, BY_RULE))


@pytest.mark.parametrize("by", ["", "a token", "relay", "token alerts", BY_PEOPLE, BY_RULE])
@pytest.mark.parametrize("event", ["open", "close", *DONE])
def test_what_somebody_says_who_may_not_speak_for_an_alert_changes_nothing(event: str, by: str) -> None:
    truly = of(5, event)
    if by == truly.produced_by:
        return
    kept, forged = of(0, "open"), truly._replace(produced_by=by)
    made = said(KIND, [*([] if event == "open" else [kept]), forged], 1000)
    assert [(causes.at_of(one.cause) - T0, one.output.kind) for one in made] == (
        [] if event == "open" else [(10, "open")]
    )


def test_what_is_open_is_shown() -> None:
    (read,) = KIND.read(of(0, "open"))
    step = KIND.take(None, read, position(0))
    assert step.state is not None
    assert KIND.shown(step.state) == []
    assert KIND.due(step.state) == T0 + 10
    state = fresh(KIND.fire(step.state, T0 + 10).state)
    assert KIND.shown(state)[0]["opened"] == causes.of_timer(T0 + 10)
    assert KIND.due(state) is None


def test_settings_that_cannot_be_meant_are_refused() -> None:
    for settings in (
        {},
        {"seconds": 0},
        {"seconds": 1, "key": ["a"]},
        {"seconds": 1, "forget_seconds": 1},
        {"seconds": 1, "forget_seconds": 0},
    ):
        with pytest.raises(BadRule):
            parse("unacknowledged", settings)
