"""A drill is told as one, and is never part of what is in earnest."""

import json
from typing import Any

import pytest

from relaycore.alerting.items import Input
from relaycore.alerting.kinds.absence import Absence
from relaycore.alerting.kinds.threshold import Threshold
from relaycore.alerting.kinds.window import Window

from .inputs import MINUTE, WINDOW, alert, position, said

KINDS: list[Any] = [
    Window(WINDOW),
    Threshold({"key": ["location"], "count": 1, "seconds": 60}),
    Absence({"key": ["location"], "seconds": 1}),
]


def drill(at: int) -> Input:
    members = json.loads(alert(at, 0, 5).message)
    return Input(position(at), json.dumps({**members, "drill": True}))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: type(kind).__name__)
def test_a_drill_is_apart_and_says_so(kind: Any) -> None:
    made = said(kind, [alert(0, 0, 5), drill(1)], 10 * MINUTE)
    bodies = [(one.key, json.loads(one.output.message)) for one in made]
    assert {key for key, _ in bodies} == {'["Berlin"]', '["Berlin",true]'}
    for key, body in bodies:
        assert body.get("drill") is (True if "true" in key else None)


def test_an_attribute_says_it_as_well() -> None:
    (read,) = KINDS[0].read(alert(0, 0, 5)._replace(attributes={"drill": "true"}))
    assert read.names == {"location": "Berlin", "drill": True}


@pytest.mark.parametrize("value", [False, "true", 1, None])
def test_nothing_else_is_one(value: Any) -> None:
    members = json.loads(alert(0, 0, 5).message)
    (read,) = KINDS[0].read(Input(position(0), json.dumps({**members, "drill": value})))
    assert read.key == '["Berlin"]'


def test_a_rule_may_have_a_key_of_that_name() -> None:
    (read,) = Window({**WINDOW, "key": ["drill"]}).read(drill(0))
    assert read.key == "[true]"
