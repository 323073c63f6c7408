"""What is open, what became of it, and what people say of it, by HTTP."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry
from alerts_app import registration
from alerts_app.alerts import Alert
from alerts_app.handling import deciding
from alerts_app.models import Acknowledgement, Handled, Rule
from relaycore.rights import Grant, Grants
from tests.integration.alerts.conftest import Told

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/alerts"

MakeRule = Callable[..., Rule]


def with_grants(operator: Any, *grants: tuple[str, str]) -> APIClient:
    granted = Grants([Grant(scope, (channel,)) for scope, channel in grants])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make(str(grants), operator, granted)[1]}")
    return client


def ids(answer: Any) -> set[str]:
    return {row["id"] for row in answer.data["results"]}


# --- what is open --------------------------------------------------------------------------


def test_what_is_open_is_shown(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    id = told.take(rule, location="Łódź 🌊", duration=30)
    (row,) = api.get(ALERTS).data["results"]
    assert row["id"] == id
    assert (row["state"], row["rule"], row["kind"]) == ("open", "by-location", "window")
    assert row["key"] == {"location": "Łódź 🌊"}
    assert row["starts_at"] == "2026-11-21T12:00:00+00:00"
    assert row["ends_at"] == "2026-11-21T12:30:00+00:00"
    assert (row["alerts"], row["notes"], row["acknowledged"], row["assigned"]) == (1, 0, None, None)
    assert row["more"] == {"said": {"type": "Flood"}}


def test_what_has_ended_is_open_no_more(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    id = told.take(rule)
    told.end(rule)
    assert api.get(ALERTS).data["results"] == []
    row = api.get(f"{ALERTS}/{id}/").data
    assert (row["state"], row["rule"], row["key"], row["channel"]) == ("closed", "by-location", None, "out")
    assert [one["attributes"]["event"] for one in row["history"]] == ["open", "close"]


def test_what_somebody_does_too_late_changes_nothing_of_what_it_is(
    api: APIClient, make_rule: MakeRule, told: Told
) -> None:
    rule = make_rule()
    id = told.take(rule)
    told.end(rule)
    told.done(rule, id, "acknowledge")
    row = api.get(f"{ALERTS}/{id}").data
    assert (row["state"], row["rule"]) == ("closed", "by-location")
    assert [one["attributes"]["event"] for one in row["history"]] == ["open", "close", "acknowledge"]


def test_alerts_of_a_group_are_acknowledged_and_its_channel_has_notices_alone(
    make_rule: MakeRule, told: Told
) -> None:
    rule, windows = make_rule(), make_rule("other", "in.2", "out.2")
    Rule.objects.filter(pk=rule.pk).update(kind=Rule.Kind.GROUP)
    for one in (rule, windows):
        deciding.acknowledge(Alert("0" * 24 if one is rule else "1" * 24, one, "", {}, []), "ana")
    rule.refresh_from_db()
    of_group = Alert("2" * 24, rule, "", {}, [])
    deciding.acknowledge(of_group, "ana")
    assert Acknowledgement.objects.filter(alert=of_group.id).exists()
    assert set(Handled.objects.values_list("alert", flat=True)) == {"0" * 24, "1" * 24}


def test_one_that_has_become_part_of_another_says_so(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    kept = told.take(rule)
    merged = told.take(rule, timestamp="2026-11-21T13:00:00Z")
    told.take(rule, timestamp="2026-11-21T12:10:00Z", duration=60)
    assert ids(api.get(ALERTS)) == {kept}
    assert api.get(f"{ALERTS}/{merged}").data["state"] == "merged"
    row = api.get(f"{ALERTS}/{kept}").data
    assert (row["state"], row["alerts"], len(row["history"])) == ("open", 3, 2)


def test_rules_are_told_apart(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    first, second = make_rule(), make_rule("other", "in.2", "out.2")
    alerts = [told.take(first), told.take(second)]
    assert ids(api.get(ALERTS)) == set(alerts)
    assert ids(api.get(f"{ALERTS}?rule=other&state=open")) == {alerts[1]}
    assert api.get(f"{ALERTS}?rule=none").status_code == 404


def test_pages_have_all_of_it_once(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    alerts = {told.take(rule, location=f"Place {number}") for number in range(25)}
    found: list[str] = []
    link: str | None = f"{ALERTS}?limit=10"
    while link:
        page = api.get(link).data
        found += [row["id"] for row in page["results"]]
        link = page["next"]
    assert len(found) == len(set(found)) == 25
    assert set(found) == alerts


@pytest.mark.parametrize("query", ["state=closed", "limit=0", "limit=x", "cursor=x", "place=Harbour"])
def test_a_question_that_cannot_be_meant_is_refused(api: APIClient, query: str) -> None:
    assert api.get(f"{ALERTS}?{query}").status_code == 400


@pytest.mark.parametrize("id", ["0" * 24, "x" * 24, "0", "%00", "A" * 24])
def test_what_nobody_was_told_of_is_no_alert(api: APIClient, told: Told, id: str) -> None:
    answer = api.get(f"{ALERTS}/{id}")
    assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:alert-unknown")


def test_what_a_rule_had_open_before_it_began_anew_is_history(
    api: APIClient, make_rule: MakeRule, told: Told
) -> None:
    rule = make_rule()
    id = told.take(rule)
    registration.delete(rule.name)
    assert api.get(ALERTS).data["results"] == []
    row = api.get(f"{ALERTS}/{id}").data
    assert (row["rule"], row["channel"], len(row["history"])) == (None, "out", 1)
    assert api.post(f"{ALERTS}/{id}/note", {"text": "gone"}, format="json").status_code == 404


@pytest.mark.parametrize("rule", [{}, {"rule": "no uuid"}, {"rule": "0" * 32}])
def test_what_somebody_publishes_with_such_an_id_is_no_alert(
    api: APIClient, make_rule: MakeRule, told: Told, rule: dict[str, str]
) -> None:
    make_rule()
    told.publish("in", "a token", alert_id="1" * 24, event="open", **rule)
    assert api.get(f"{ALERTS}/{'1' * 24}").status_code == 404


@pytest.mark.parametrize("by", ["a token", "rule of somebody's"])
@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_somebody_publishes_elsewhere_about_an_alert_changes_nothing_of_it(
    operator: Any, api: APIClient, make_rule: MakeRule, told: Told, by: str, is_deleted: bool
) -> None:
    rule = make_rule()
    id = told.take(rule)
    told.end(rule)
    told.publish("in", by, alert_id=id, event="open", rule=rule.uuid.hex)
    told.publish("out", by, alert_id=id, event="open", rule="no uuid")
    if is_deleted:
        registration.delete(rule.name)
    row = api.get(f"{ALERTS}/{id}").data
    assert (row["state"], row["channel"]) == ("closed", "out")
    assert [one["attributes"]["event"] for one in row["history"]] == ["open", "close"]
    # Whoever may read where he has published it may not read it for that.
    assert with_grants(operator, ("manage", "in")).get(f"{ALERTS}/{id}").status_code == 404


def test_what_somebody_publishes_on_the_channel_of_an_alert_does_not_end_it(
    api: APIClient, make_rule: MakeRule, told: Told
) -> None:
    rule = make_rule()
    id = told.take(rule)
    told.end(rule)
    told.publish("out", "a token", alert_id=id, event="open", rule=rule.uuid.hex)
    row = api.get(f"{ALERTS}/{id}").data
    assert (row["state"], len(row["history"])) == ("closed", 2)


@pytest.mark.parametrize("event", ["acknowledge", "release", "close"])
def test_what_is_forged_on_the_channel_of_an_alert_is_no_history_of_it(
    api: APIClient, make_rule: MakeRule, told: Told, event: str
) -> None:
    rule = make_rule()
    id = told.take(rule)
    told.publish("out", "token alerts", alert_id=id, event=event, rule=rule.uuid.hex)
    # Rules say nothing of people, nor do people say what rules tell.
    by = "alerts" if event == "close" else "rule by-location"
    told.publish("out", by, alert_id=id, event=event, rule=rule.uuid.hex)
    row = api.get(f"{ALERTS}/{id}").data
    assert (row["state"], len(row["history"])) == ("open", 1)


# --- what people say of it -----------------------------------------------------------------


def test_somebody_acknowledges_it_and_who_was_first_stands(
    api: APIClient, make_rule: MakeRule, told: Told
) -> None:
    id = told.take(make_rule())
    answer = api.post(f"{ALERTS}/{id}/acknowledge", {"note": "on my way"}, format="json")
    assert answer.status_code == 200
    assert answer.data["acknowledged"]["by"] == "operator"
    again = api.post(f"{ALERTS}/{id}/acknowledge/", {}, format="json")
    assert again.data["acknowledged"] == answer.data["acknowledged"]
    assert again.data["acknowledged"]["note"] == "on my way"
    (row,) = api.get(ALERTS).data["results"]
    assert row["acknowledged"] == answer.data["acknowledged"]
    assert list(AuditEntry.objects.filter(target=id).values_list("action", flat=True)) == [
        "alert acknowledged"
    ]


def test_it_is_taken_back(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    id = told.take(make_rule())
    api.post(f"{ALERTS}/{id}/acknowledge", {}, format="json")
    assert api.delete(f"{ALERTS}/{id}/acknowledge").data["acknowledged"] is None
    assert api.delete(f"{ALERTS}/{id}/acknowledge").status_code == 200


def test_an_acknowledgement_ends_with_its_alert(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    id = told.take(rule)
    api.post(f"{ALERTS}/{id}/acknowledge", {}, format="json")
    told.end(rule)
    later = told.take(rule)
    (row,) = api.get(ALERTS).data["results"]
    assert (row["id"], row["acknowledged"]) == (later, None)
    for path, body in (("acknowledge", {}), ("assign", {"to": "night shift"})):
        answer = api.post(f"{ALERTS}/{id}/{path}", body, format="json")
        assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:alert-unknown")


def test_it_is_somebodys_until_it_is_somebody_elses(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    id = told.take(make_rule())
    for to in ("day shift", "night shift"):
        answer = api.post(f"{ALERTS}/{id}/assign", {"to": to}, format="json")
        assert (answer.data["assigned"]["to"], answer.data["assigned"]["by"]) == (to, "operator")
    assert api.post(f"{ALERTS}/{id}/assign", {"to": ""}, format="json").data["assigned"] is None


def test_notes_are_written_also_when_it_is_over(api: APIClient, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    id = told.take(rule)
    api.post(f"{ALERTS}/{id}/note", {"text": "<b>water</b> rises"}, format="json")
    told.end(rule)
    answer = api.post(f"{ALERTS}/{id}/note", {"text": "it was the pump"}, format="json")
    assert [one["text"] for one in answer.data["notes"]] == ["<b>water</b> rises", "it was the pump"]
    details = AuditEntry.objects.filter(action="alert noted").values_list("details", flat=True)
    assert "pump" not in str(list(details))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("acknowledge", {"note": 5}),
        ("acknowledge", {"note": "x" * 10_001}),
        ("acknowledge", {"by": "somebody else"}),
        ("assign", {}),
        ("assign", {"to": None}),
        ("assign", {"to": "x" * 151}),
        ("note", {}),
        ("note", {"text": ""}),
        ("note", {"text": "a\0b"}),
    ],
)
def test_what_cannot_be_said_is_refused(
    api: APIClient, make_rule: MakeRule, told: Told, path: str, body: dict[str, Any]
) -> None:
    id = told.take(make_rule())
    assert api.post(f"{ALERTS}/{id}/{path}", body, format="json").status_code == 400


# --- rights --------------------------------------------------------------------------------


def test_whoever_may_not_read_the_channel_is_told_of_no_alert(
    operator: Any, make_rule: MakeRule, told: Told
) -> None:
    id = told.take(make_rule())
    other = with_grants(operator, ("manage", "elsewhere"))
    assert other.get(ALERTS).data["results"] == []
    for answer in (
        other.get(f"{ALERTS}/{id}"),
        other.post(f"{ALERTS}/{id}/acknowledge", {}, format="json"),
        other.post(f"{ALERTS}/{id}/note", {"text": "x"}, format="json"),
    ):
        assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:alert-unknown")


def test_whoever_only_reads_says_nothing_of_it(operator: Any, make_rule: MakeRule, told: Told) -> None:
    id = told.take(make_rule())
    reads = with_grants(operator, ("read", "out"))
    assert reads.get(f"{ALERTS}/{id}").status_code == 200
    for path in ("acknowledge", "assign", "note"):
        assert reads.post(f"{ALERTS}/{id}/{path}", {}, format="json").status_code == 403
    consumes = with_grants(operator, ("consume", "out"))
    assert consumes.post(f"{ALERTS}/{id}/acknowledge", {}, format="json").status_code == 200
