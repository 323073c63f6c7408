"""A receiver that is not reached is told of until it is again, or nothing more is said of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relaycore.alerting import causes
from relaycore.alerting.items import Input
from relaycore.alerting.kinds.failing import FAILS, RECOVERS
from relaycore.alerting.rules import parse
from relaycore.errors import BadRule, Unusable
from relaycore.publishing import producers

from .inputs import T0, fresh, message, position, said


def event(at: int, number: int = 0, /, **members: Any) -> Input:
    return message(at, number, **members)._replace(produced_by=producers.RELAY)


KIND = parse("failing", {"forget_seconds": 0.02})
PAGER = "endpoints/pager"
FAILING, RECOVERED = "endpoint.failing", "endpoint.recovered"
DEAD = "subscription.dead-letters"


def told(steps: list[tuple[int, str]], upto: int = 1000, kind: Any = KIND) -> list[tuple[int, str]]:
    inputs = [event(at, number, type=type, subject=PAGER) for number, (at, type) in enumerate(steps)]
    return [(causes.at_of(one.cause) - T0, one.output.kind) for one in said(kind, inputs, upto)]


CASES: dict[str, tuple[list[tuple[int, str]], list[tuple[int, str]]]] = {
    "it fails": ([(0, FAILING)], [(0, "open"), (20, "close")]),
    "it takes something again": ([(0, FAILING), (7, RECOVERED)], [(0, "open"), (7, "close")]),
    "it goes on failing": ([(0, FAILING), (19, FAILING)], [(0, "open"), (39, "close")]),
    "it is given up": ([(0, FAILING), (5, "endpoint.disabled")], [(0, "open"), (25, "close")]),
    "dead letters begin": ([(3, DEAD)], [(3, "open"), (23, "close")]),
    "it takes something and had not failed": ([(0, RECOVERED)], []),
    "something else": ([(0, "endpoint.confirmed"), (1, FAILING), (2, "x")], [(1, "open"), (21, "close")]),
    "again": (
        [(0, FAILING), (1, RECOVERED), (2, DEAD)],
        [(0, "open"), (1, "close"), (2, "open"), (22, "close")],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_told(name: str) -> None:
    steps, expected = CASES[name]
    assert told(steps) == expected


def naive(steps: list[tuple[int, str]], upto: int) -> list[tuple[int, str]]:
    found, last = [], None
    for now in range(upto + 1):
        if last is not None and now - last >= 20:
            found.append((now, "close"))
            last = None
        for _, type in [one for one in steps if one[0] == now]:
            if type in FAILS:
                found += [(now, "open")] if last is None else []
                last = now
            elif type in RECOVERS and last is not None:
                found.append((now, "close"))
                last = None
    return found


@given(st.lists(st.tuples(st.integers(0, 25), st.sampled_from([*FAILS, *RECOVERS, "other"])), max_size=10))
def test_what_is_told_is_what_a_naive_model_tells(waits: list[tuple[int, str]]) -> None:
    steps, at = [], 0
    for wait, type in waits:
        at += wait
        steps.append((at, type))
    assert told(steps, at + 25) == naive(steps, at + 25)


def test_it_says_of_what_and_why() -> None:
    members = {"type": FAILING, "subject": PAGER, "data": {"last_status": 500}}
    opened, closed = said(KIND, [event(0, **members), event(9, 1, type=RECOVERED, subject=PAGER)], 10)
    body = json.loads(opened.output.message)
    assert list(body) == ["subject", "about", "eventType", "startTime", "endTime"]
    assert (body["subject"], body["about"]) == (PAGER, members)
    assert closed.attributes["alert-id"] == opened.attributes["alert-id"]


def test_only_those_that_are_named_are_told() -> None:
    kind = parse("failing", {"subjects": [PAGER, "subscriptions/pages"]})
    some = [PAGER, "endpoints/other", "subscriptions/pages", "subscriptions/x"]
    made = said(kind, [event(0, number, type=FAILING, subject=one) for number, one in enumerate(some)])
    assert [json.loads(one.output.message)["subject"] for one in made] == [PAGER, "subscriptions/pages"]


def test_what_is_open_is_shown_and_ends_under_settings_that_do_not_name_it() -> None:
    (read,) = KIND.read(event(0, type=FAILING, subject=PAGER))
    step = KIND.take(None, read, position(0))
    assert step.state is not None
    assert KIND.shown(fresh(step.state))[0]["key"] == {"subject": PAGER}
    other = parse("failing", {"subjects": ["endpoints/x"]})
    (read,) = other.read(event(1, type=RECOVERED, subject=PAGER))
    ends = other.take(fresh(step.state), read, position(1))
    assert (ends.state, [one.kind for one in ends.outputs]) == (None, ["close"])


@pytest.mark.parametrize("body", ["no JSON", "{}", '{"subject": "a"}', '{"subject": 1, "type": "a"}'])
def test_what_is_no_event_cannot_be_used(body: str) -> None:
    with pytest.raises(Unusable):
        KIND.read(Input(position(0), body, {}, producers.RELAY))


@pytest.mark.parametrize("by", ["", "a token", "token relay", "rule relay", "alerts"])
@pytest.mark.parametrize("type", [FAILING, RECOVERED])
def test_what_anybody_else_says_of_a_receiver_changes_nothing(type: str, by: str) -> None:
    forged = event(5, 1, type=type, subject=PAGER)._replace(produced_by=by)
    assert said(KIND, [forged], 100) == []
    made = said(KIND, [event(0, type=FAILING, subject=PAGER), forged], 100)
    assert [causes.at_of(one.cause) - T0 for one in made] == [0, 20]


@pytest.mark.parametrize(
    "settings",
    [
        {"subjects": []},
        {"subjects": "endpoints/a"},
        {"subjects": ["a"]},
        {"subjects": ["endpoints/"]},
        {"subjects": [1]},
        {"forget_seconds": 0},
        {"seconds": 1},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(settings: Any) -> None:
    with pytest.raises(BadRule, match="settings"):
        parse("failing", settings)
