"""A rule tried on what is stored, beside what was told."""

import json

from relaycore.alerting.items import Made
from relaycore.alerting.kinds.window import Window
from relaycore.alerting.trying import Comparison, Found, Trial

from .inputs import MINUTE, RULE, T0, WINDOW, alert, message, said

ALERTS = [alert(0, 0, 5), alert(1, 3, 5, type="flood"), alert(2, 0, 5, location="Rome")]
LATER = T0 + 60 * MINUTE


def tried(settings: object, revision: int = 2, upto: int = LATER) -> list[Made]:
    return list(Trial(RULE, revision, Window(settings)).run(ALERTS, upto))


def told(settings: object = WINDOW) -> dict[bytes, str]:
    return {one.id: one.output.message for one in said(Window(settings), ALERTS, 60 * MINUTE)}


def test_what_is_tried_is_what_would_be_said() -> None:
    assert {one.id: one.output.message for one in tried(WINDOW, revision=1)} == told()


def test_it_tells_up_to_the_time_that_is_asked_for_and_what_is_open_then() -> None:
    trial = Trial(RULE, 2, Window(WINDOW))
    inputs = [message(-1), *ALERTS]
    made = list(trial.run(inputs, T0 + 6 * MINUTE))
    assert [one.output.kind for one in made] == ["open", "open", "open", "close"]
    assert [one["key"] for one in trial.open()] == [{"location": "Berlin"}]
    assert trial.unusable[0] == 1
    assert trial.inputs == 4


def test_many_inputs_take_no_room_once_they_are_closed() -> None:
    trial = Trial(RULE, 2, Window(WINDOW))
    inputs = (alert(at * 1000, at / 60, 0.001, location=f"place {at}") for at in range(3000))
    assert sum(one.output.kind == "close" for one in trial.run(inputs, LATER)) == 3000
    assert trial.open() == []
    assert len(trial._processing._states) == 0


def test_the_same_rule_under_another_revision_is_the_same() -> None:
    comparison = Comparison(RULE, told(), [1])
    assert {comparison.see(one) for one in tried(WINDOW)} == {(Found.SAME, None)}
    assert comparison.missing == {}


def test_what_would_read_otherwise_is_shown_beside_what_was_told() -> None:
    comparison = Comparison(RULE, told(), [1])
    seen = [comparison.see(one) for one in tried({**WINDOW, "merge": {"type": "Several"}})]
    changed = [message for found, message in seen if found is Found.CHANGED]
    assert [json.loads(message or "")["type"] for message in changed] == ["Mixed Threats"]
    assert [found for found, _ in seen].count(Found.SAME) == 4


def test_what_would_be_told_besides_and_what_would_not() -> None:
    more = {**WINDOW, "close_on_extend": True}
    comparison = Comparison(RULE, told(), [1])
    seen = [(one.output.kind, comparison.see(one)[0]) for one in tried(more)]
    assert seen.count(("close", Found.ADDED)) == 1
    assert [found for _, found in seen].count(Found.ADDED) == 1
    assert comparison.missing == {}
    fewer = {**WINDOW, "duration": {"seconds": 60}}
    comparison = Comparison(RULE, told(), [1])
    for one in tried(fewer):
        comparison.see(one)
    assert sorted(json.loads(text)["eventType"] for text in comparison.missing.values()) == ["close", "close"]


def test_what_was_told_under_several_revisions_is_found() -> None:
    several = {one.id: one.output.message for one in tried(WINDOW, revision=5)[:2]}
    several |= {one.id: one.output.message for one in tried(WINDOW, revision=7)[2:]}
    comparison = Comparison(RULE, several, [5, 6, 7])
    assert {comparison.see(one)[0] for one in tried(WINDOW, revision=9)} == {Found.SAME}
    assert not comparison.missing
