"""Back-tests: what a rule would tell of what is stored, beside what it told."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from django.core.management import call_command
from rest_framework.test import APIClient

from access_app import tokens
from alerts_app import defaults
from alerts_app.models import Rule
from relaycore.rights import Grant, Grants
from tests.integration.alerts.conftest import STARTS_AT, Told
from tests.loops import Loop

pytestmark = pytest.mark.django_db

RULES = "/api/v1/rules"

MakeRule = Callable[..., Rule]

RECEIPT = {"key": ["location"], "start": "receipt", "duration": {"seconds": 60}}


@pytest.fixture
def put(archive: Any, told: Told, writer: Loop) -> Callable[..., None]:
    """Store alerts on the channel that the rule reads, one a second."""
    count = 0

    def store(*alerts: Any, rule: Rule | None = None) -> None:
        nonlocal count
        for alert in alerts:
            count += 1
            position = f"{STARTS_AT + 1000 * count:013d}-0000000000-00000"
            body = alert if isinstance(alert, str) else json.dumps({**ALERT, **alert})
            archive.insert_one(
                {
                    "_id": ObjectId(),
                    "channel": "in",
                    "message": body,
                    "received_at": datetime.now(UTC),
                    "position": position,
                }
            )
            if rule is not None:
                told.take(rule, at=position, **{**ALERT, **alert})

    return store


ALERT = {"location": "Harbour", "type": "Flood", "timestamp": "2026-11-21T12:00:00Z", "duration": 15}


def try_out(api: APIClient, name: str = "by-location", **wanted: Any) -> Any:
    answer = api.post(f"{RULES}/{name}/back-test", wanted, format="json")
    assert answer.status_code == 200, answer.data
    return answer.data


def test_what_was_told_is_what_would_be_told(
    api: APIClient, make_rule: MakeRule, told: Told, put: Callable[..., None]
) -> None:
    rule = make_rule()
    put({}, {"location": "Old Town"}, rule=rule)
    found = try_out(api, until="2026-11-21T12:10:00Z")
    assert (found["messages"], found["unusable"], found["is_all"]) == (2, 0, True)
    assert found["counts"] == {"same": 2, "changed": 0, "added": 0, "missing": 0}
    assert [event["event"] for event in found["events"]] == ["open", "open"]
    assert {one["key"]["location"] for one in found["open"]} == {"Harbour", "Old Town"}


def test_what_somebody_has_done_is_nothing_that_the_rule_has_told(
    api: APIClient, make_rule: MakeRule, told: Told, put: Callable[..., None]
) -> None:
    rule = make_rule()
    put({}, rule=rule)
    told.done(rule, "0" * 24, "acknowledge")
    forged = {"alert_id": "0" * 24, "event": "open", "rule": rule.uuid.hex}
    told.publish("out", "a token", **forged, cause=f"{STARTS_AT + 500:013d}-0000000000-00000")
    found = try_out(api, until="2026-11-21T12:10:00Z")
    assert found["counts"] == {"same": 1, "changed": 0, "added": 0, "missing": 0}


def test_an_escalation_is_tried_on_what_was_told_and_done(
    api: APIClient, make_rule: MakeRule, told: Told, put: Callable[..., None]
) -> None:
    rule = make_rule()
    put({}, {"location": "Old Town"}, rule=rule)
    seen, _ = (event["attributes"]["alert-id"] for event in told.events(rule))
    told.done(rule, seen, "acknowledge")
    body = {"channel": "out", "kind": "unacknowledged", "settings": {"seconds": 60}}
    answer = api.post(f"{RULES}/back-test", {**body, "until": "2026-11-21T12:10:00Z"}, format="json")
    assert answer.status_code == 200, answer.data
    (event,) = answer.data["events"]
    assert (event["event"], json.loads(event["message"])["about"]["location"]) == ("open", "Old Town")


def test_what_was_not_told_and_what_would_be_no_more_are_named(
    api: APIClient, make_rule: MakeRule, told: Told, put: Callable[..., None]
) -> None:
    rule = make_rule()
    put({}, rule=rule)
    put({"location": "Old Town"}, "no alert")
    told.take(rule, location="Nowhere", at=f"{STARTS_AT + 1500:013d}-0000000000-00000")
    found = try_out(api)
    assert found["counts"]["missing"] == 1
    assert found["unusable"] == 1
    assert found["last_unusable"].endswith("The message is not JSON.")
    assert [(one["found"], one["event"]) for one in found["events"]] == [
        ("same", "open"),
        ("missing", "open"),
        ("added", "open"),
        ("added", "close"),
        ("added", "close"),
    ]


def test_other_settings_say_what_they_would_change(
    api: APIClient, make_rule: MakeRule, told: Told, put: Callable[..., None]
) -> None:
    rule = make_rule()
    put({}, rule=rule)
    found = try_out(api, settings=RECEIPT, until="2026-11-21T12:00:30Z")
    assert found["counts"]["changed"] == 1
    (event,) = found["events"]
    assert json.loads(event["told"])["endTime"] == "2026-11-21T12:15:00+00:00"
    assert json.loads(event["message"])["endTime"] == "2026-11-21T12:01:01+00:00"
    assert Rule.objects.get().settings == defaults.SETTINGS


def test_one_that_there_is_not_is_tried_as_well(
    api: APIClient, make_rule: MakeRule, put: Callable[..., None]
) -> None:
    make_rule("other", "in", "out")
    put({}, {})
    wanted = {"channel": "in", "kind": "window", "settings": RECEIPT, "limit": 2}
    found = api.post(f"{RULES}/back-test", wanted, format="json").data
    assert found["counts"] == {"same": 0, "changed": 0, "added": 3, "missing": 0}
    assert len(found["events"]) == 2


def test_only_of_the_time_that_is_asked_for(
    api: APIClient, make_rule: MakeRule, put: Callable[..., None]
) -> None:
    make_rule()
    put({}, {}, {})
    assert try_out(api, since="2026-11-21T12:00:02Z", until="2026-11-21T12:00:03Z")["messages"] == 1


def test_it_stops_in_time_and_says_how_far_it_came(
    api: APIClient, make_rule: MakeRule, put: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_rule()
    put({}, {}, {})
    monkeypatch.setattr("alerts_app.trying.MOST_MESSAGES", 2)
    found = try_out(api)
    assert (found["is_all"], found["messages"]) == (False, 2)
    assert found["upto"] == datetime(2026, 11, 21, 12, 0, 3, tzinfo=UTC)
    assert {event["event"] for event in found["events"]} == {"open"}


@pytest.mark.parametrize(
    "body", [{"settings": {}}, {"settings": []}, {"since": "then"}, {"limit": 0}, {"limit": 1001}, {"x": 1}]
)
def test_what_cannot_be_meant_is_refused(api: APIClient, make_rule: MakeRule, body: dict[str, Any]) -> None:
    make_rule()
    assert api.post(f"{RULES}/by-location/back-test", body, format="json").status_code == 400


def test_no_rule_has_the_name_of_an_address(api: APIClient, make_rule: MakeRule) -> None:
    make_rule()
    new = {"channel": "in", "to": "out", "kind": "window", "settings": RECEIPT, "start": "earliest"}
    answer = api.post(RULES, {"name": "back-test", **new}, format="json")
    assert (answer.status_code, answer.data["type"]) == (400, "urn:relay:problem:bad-rule")


def test_to_try_one_takes_the_right_to_read(operator: Any, make_rule: MakeRule) -> None:
    make_rule()
    grants = Grants([Grant("read", ("out",))])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make('t', operator, grants)[1]}")
    assert client.post(f"{RULES}/by-location/back-test", {}, format="json").status_code == 403
    wanted = {"channel": "in", "kind": "window", "settings": RECEIPT}
    assert client.post(f"{RULES}/back-test", wanted, format="json").status_code == 403


def test_the_command_says_the_same(make_rule: MakeRule, put: Callable[..., None]) -> None:
    rule = make_rule()
    put({}, rule=rule)
    out = io.StringIO()
    call_command("rules", "back-test", "by-location", "--until", "2026-11-21T12:10:00Z", stdout=out)
    first, last = out.getvalue().splitlines()
    assert first.startswith("2026-11-21T12:00:01Z\tsame\topen\t{")
    assert last == "1 messages, 0 unusable: 1 same, 0 changed, 0 added, 0 missing."
