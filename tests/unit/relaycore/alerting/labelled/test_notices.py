"""Groups: the message, what there is no room for, and which settings are refused."""

import pytest

from relaycore.alerting import rules
from relaycore.alerting.items import Input
from relaycore.alerting.labelled import group as grouping
from relaycore.alerting.labelled import payload
from relaycore.errors import BadRule, Unusable
from tests.unit.relaycore.alerting.labelled.telling import INHIBIT, START, Driver


def test_writes_the_payload_of_alertmanagers_webhook() -> None:
    rule = Driver(group_by=["job"], receiver="team", external_url="https://relay.example/alertmanager")
    rule.fire(0, "a", job="x", severity="critical")
    rule.fire(0, "b", job="x", severity="warning")
    rule.reach(30)
    rule.resolve(40, "a", job="x", severity="critical")
    rule.reach(50)
    first, second = rule.told
    assert first == {
        "receiver": "team",
        "status": "firing",
        "alerts": [
            {
                "status": "firing",
                "labels": {"alertname": name, "job": "x", "severity": severity},
                "annotations": {},
                "startsAt": "2023-11-14T22:13:20.000Z",
                "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "",
                "fingerprint": one["fingerprint"],
            }
            for one in first["alerts"]
            for name, severity in [(one["labels"]["alertname"], one["labels"]["severity"])]
        ],
        "groupLabels": {"job": "x"},
        "commonLabels": {"job": "x"},
        "commonAnnotations": {},
        "externalURL": "https://relay.example/alertmanager",
        "version": "4",
        "groupKey": '{}:{job="x"}',
        "truncatedAlerts": 0,
        "notification_reason": "first notification",
    }
    assert {one["labels"]["alertname"]: (one["status"], one["endsAt"]) for one in second["alerts"]} == {
        "a": ("resolved", "2023-11-14T22:14:00.000Z"),
        "b": ("firing", "0001-01-01T00:00:00Z"),
    }
    assert rule.attributes[1] == {"receiver": "team", "status": "firing", "reason": "some alerts resolved"}


def test_leaves_out_what_there_is_no_room_for_and_says_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = Driver(max_alerts=2)
    for name in "abc":
        rule.fire(0, name)
    rule.reach(30)
    assert len(rule.told[0]["alerts"]) == 2
    assert rule.told[0]["truncatedAlerts"] == 1
    monkeypatch.setattr(payload, "MOST_BYTES", 10)
    rule.fire(40, "d")
    rule.change()
    rule.reach(330)
    assert len(rule.told[1]["alerts"]) == 1
    assert rule.told[1]["truncatedAlerts"] == 3


def test_marks_a_drill() -> None:
    rule = Driver(group_by=["job"])
    rule.fire(0, "a", job="x", drill="true")
    rule.fire(0, "b", job="y", drill="true")
    rule.fire(0, "c", job="y")
    rule.reach(30)
    drills = {one["groupLabels"]["job"]: one.get("drill") for one in rule.told}
    assert drills == {"x": True, "y": None}
    assert sorted(one.get("drill", "") for one in rule.attributes) == ["", "true"]
    whole = Driver(drill=True)
    whole.fire(0, "a")
    whole.reach(30)
    assert whole.told[0]["drill"] is True


def test_leaves_out_alerts_that_its_state_has_no_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "MOST_BYTES", 1_200)
    rule = Driver()
    for name in "abc":
        rule.fire(0, name)
    assert rule.state is not None
    assert rule.unusable == ["The rule has 8 MiB of alerts that are not over, which is all it can have."]
    rule.reach(30)
    assert [one.alerts for one in rule.notices] == ["a b"]
    # As soon as there is room again, others are taken.
    rule.resolve(40, "a")
    rule.reach(50)
    rule.fire(60, "c")
    rule.reach(400)
    assert rule.notices[-1].alerts == "b c"


def test_shows_what_fires() -> None:
    rule = Driver()
    rule.fire(5, "b", job="x")
    rule.fire(7, "a", since=1)
    rule.resolve(8, "c")
    assert rule.state is not None
    shown = rule.kind.shown(rule.state)
    assert [(one["key"], one["starts_at"], one["ends_at"]) for one in shown] == [
        ({"alertname": "a"}, "2023-11-14T22:13:21.000Z", None),
        ({"alertname": "b", "job": "x"}, "2023-11-14T22:13:25.000Z", None),
    ]
    assert [one["opened"][:13] for one in shown] == [str(START + 7_000), str(START + 5_000)]


@pytest.mark.parametrize(
    "message",
    [
        b"\xff",
        "",
        "[]",
        "{}",
        '{"labels": {}}',
        '{"labels": {"a": 1}}',
        '{"labels": {"a": "b"}, "status": "away"}',
        '{"labels": {"a": "b"}, "startsAt": "yesterday"}',
        '{"labels": {"a": "b"}, "generatorURL": 1}',
        "[" * 100_000,
    ],
)
def test_cannot_use_what_is_no_alert(message: str | bytes) -> None:
    with pytest.raises(Unusable):
        Driver().kind.read(Input(f"{START:013d}-0000000000-00000", message))


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ([], "object"),
        ({"group_wait": 30}, 'no setting "group_wait"'),
        ({"group_wait_seconds": -1}, "group_wait_seconds"),
        ({"group_wait_seconds": True}, "group_wait_seconds"),
        ({"group_interval_seconds": 0}, "group_interval_seconds"),
        ({"repeat_interval_seconds": "4h"}, "repeat_interval_seconds"),
        ({"repeat_interval_seconds": float("nan")}, "repeat_interval_seconds"),
        ({"resolve_wait_seconds": "0"}, "resolve_wait_seconds"),
        ({"group_by": "job"}, "group_by"),
        ({"group_by": ["...", "job"]}, "not both"),
        ({"matchers": ["a"]}, "matcher"),
        ({"inhibit": [{}]}, "matchers must be"),
        ({"inhibit": [INHIBIT[0]] * 51}, "inhibit"),
        ({"mute_time_intervals": [{"weekdays": ["caturday"]}]}, "weekdays"),
        ({"active_time_intervals": "monday"}, "list"),
        ({"send_resolved": 1}, "send_resolved"),
        ({"notify": "some"}, "notify"),
        ({"receiver": 1}, "receiver"),
        ({"max_alerts": -1}, "max_alerts"),
        ({"drill": "yes"}, "drill"),
        ({"silences": [{"id": "a"}]}, "silence"),
        ({"silences": {}}, "silences"),
    ],
)
def test_says_which_setting_is_wrong(settings: object, why: str) -> None:
    with pytest.raises(BadRule, match=why):
        rules.parse("group", settings)


def test_needs_no_settings() -> None:
    assert not rules.parse("group", {}).is_by_key


def test_lists_alerts_in_the_order_of_alertmanager() -> None:
    rule = Driver()
    rule.fire(0, "z", job="b", instance="1")
    rule.fire(0, "y", job="a", instance="2")
    rule.fire(0, "x", job="a", instance="1", zone="eu")
    rule.fire(0, "w", job="a", instance="1", zone="as")
    rule.fire(0, "v", job="a", instance="1")
    rule.fire(0, "u")
    rule.fire(0, "t")
    rule.fire(0, "s", instance="1")
    rule.reach(30)
    # Beside a real one, 0.25: what has a job comes first, and of the same instance what has fewer labels.
    assert [one["labels"]["alertname"] for one in rule.told[0]["alerts"]] == list("vwxyzstu")
