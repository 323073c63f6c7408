"""Rules: made, changed, enabled, disabled and deleted, by HTTP."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry
from alerts_app import defaults, registration
from alerts_app.models import Acknowledgement, Laid, Rule, RulesMark
from channels_app import registration as channels
from channels_app.models import Channel
from relaycore.delivering.beginning import Start
from relaycore.errors import BadRule
from relaycore.policy import CONTENT, EVERY
from relaycore.position import START
from relaycore.rights import Grant, Grants

pytestmark = pytest.mark.django_db

RULES = "/api/v1/rules"

NEW: dict[str, Any] = {
    "name": "by-location",
    "channel": "in",
    "to": "out",
    "kind": "window",
    "settings": defaults.SETTINGS,
    "start": "earliest",
}


@pytest.fixture(autouse=True)
def channel(db: None, relay_keys: Any, archive: Any) -> Channel:
    return channels.start("in", EVERY, listen=False, republish=False)


def make(name: str, channel: str, to: str) -> Rule:
    return registration.create(name, channel, to, "window", defaults.SETTINGS, Start(START))


def with_grants(operator: Any, *grants: tuple[str, str]) -> APIClient:
    granted = Grants([Grant(scope, (channel,)) for scope, channel in grants])
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make(str(grants), operator, granted)[1]}")
    return client


def actions() -> list[tuple[str, str]]:
    return list(AuditEntry.objects.order_by("pk").values_list("action", "target"))


# --- made ----------------------------------------------------------------------------------


def test_a_rule_is_made_and_with_it_what_it_writes(api: APIClient) -> None:
    answer = api.post(RULES, NEW, format="json")
    assert answer.status_code == 201, answer.data
    assert answer["Location"].endswith("/api/v1/rules/by-location")
    row = api.get(f"{RULES}/by-location/").data
    assert row == answer.data
    assert row["settings"] == NEW["settings"]
    assert (row["channel"], row["to"], row["kind"]) == ("in", "out", "window")
    assert (row["state"], row["revision"], row["position"]) == ("active", 1, START)
    made = Channel.objects.get(channel="out")
    assert (made.listen, made.policy, made.public) == (False, EVERY, False)
    assert ("rule created", "by-location") in actions()
    assert api.get(RULES).data["results"] == [row]


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"name": ""}, "bad-rule"),
        ({"name": ".."}, "bad-rule"),
        ({"name": "a b"}, "bad-rule"),
        ({"name": "x" * 101}, "bad-rule"),
        ({"name": "a\0"}, "invalid"),
        ({"to": "in"}, "bad-rule"),
        ({"to": ""}, "bad-channel-name"),
        ({"to": "queue/orders"}, "bad-channel-name"),
        ({"to": "orchestrator_channel"}, "bad-channel-name"),
        ({"kind": "sum"}, "invalid"),
        ({"settings": []}, "bad-rule"),
        ({"settings": {}}, "bad-rule"),
        ({"settings": {**defaults.SETTINGS, "keys": ["location"]}}, "bad-rule"),
        ({"start": "then"}, "invalid"),
        ({"start": {"time": "yesterday"}}, "invalid"),
        ({"state": "active"}, "invalid"),
    ],
)
def test_what_cannot_be_meant_is_refused(api: APIClient, changed: dict[str, Any], kind: str) -> None:
    answer = api.post(RULES, {**NEW, **changed}, format="json")
    assert answer.status_code == 400
    assert answer.data["type"] == f"urn:relay:problem:{kind}"
    assert not Rule.objects.exists()
    assert not Channel.objects.filter(channel="out").exists()


@pytest.mark.parametrize("field", sorted(NEW))
def test_all_of_it_has_to_be_said(api: APIClient, field: str) -> None:
    body = {name: value for name, value in NEW.items() if name != field}
    answer = api.post(RULES, body, format="json")
    assert (answer.status_code, list(answer.data["errors"])) == (400, [field])


def test_there_has_to_be_something_to_read(api: APIClient) -> None:
    answer = api.post(RULES, {**NEW, "channel": "nowhere"}, format="json")
    assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:channel-unknown")


def test_a_name_is_given_once(api: APIClient) -> None:
    make("by-location", "in", "other")
    answer = api.post(RULES, NEW, format="json")
    assert (answer.status_code, answer.data["type"]) == (409, "urn:relay:problem:rule-exists")


def test_what_it_writes_is_listened_to_by_nobody(api: APIClient) -> None:
    channels.start("out", EVERY)
    answer = api.post(RULES, NEW, format="json")
    assert answer.status_code == 400
    assert "listened to" in answer.data["detail"]


def test_what_it_writes_keeps_every_message(api: APIClient) -> None:
    channels.start("out", CONTENT, listen=False)
    answer = api.post(RULES, NEW, format="json")
    assert answer.status_code == 400
    assert "deduplicate" in answer.data["detail"]


def test_several_rules_write_one_channel_and_read_one(api: APIClient) -> None:
    for name in ("one", "two"):
        assert api.post(RULES, {**NEW, "name": name}, format="json").status_code == 201


def test_rules_form_no_circle(api: APIClient) -> None:
    make("first", "in", "middle")
    make("second", "middle", "end")
    registration.disable("second")
    answer = api.post(RULES, {**NEW, "channel": "end", "to": "in"}, format="json")
    assert answer.status_code == 400
    assert '"first", "second"' in answer.data["detail"]
    # Two ways to one place are no circle.
    assert api.post(RULES, {**NEW, "channel": "in", "to": "end"}, format="json").status_code == 201


@pytest.mark.django_db(transaction=True)
def test_of_two_that_would_close_a_circle_together_one_is_made(in_thread: Any) -> None:
    channels.start("other", EVERY, listen=False, republish=False)
    # Both have looked before either has written, again and again.
    for number in range(10):
        made = [
            in_thread(lambda at=at, end=end, name=f"{at}-{number}": make(name, at, end))
            for at, end in (("in", "other"), ("other", "in"))
        ]
        assert sum(one.exception(20) is None for one in made) == 1
        Rule.objects.all().delete()


# --- changed -------------------------------------------------------------------------------


def test_settings_are_replaced_and_have_another_revision(api: APIClient) -> None:
    make("by-location", "in", "out")
    before = api.get(f"{RULES}/by-location")
    settings = {"key": ["type"], "start": "receipt", "duration": {"seconds": 60}}
    answer = api.patch(f"{RULES}/by-location", {"settings": settings}, format="json")
    assert (answer.status_code, answer.data["settings"], answer.data["revision"]) == (200, settings, 2)
    assert answer["ETag"] != before["ETag"]
    late = api.patch(
        f"{RULES}/by-location", {"settings": settings}, format="json", headers={"If-Match": before["ETag"]}
    )
    assert (late.status_code, late.data["type"]) == (412, "urn:relay:problem:rule-changed")


@pytest.mark.parametrize(
    "body", [{}, {"settings": {}}, {"kind": "group"}, {"settings": defaults.SETTINGS, "to": "elsewhere"}]
)
def test_nothing_else_of_it_can_be_changed(api: APIClient, body: dict[str, Any]) -> None:
    make("by-location", "in", "out")
    assert api.patch(f"{RULES}/by-location", body, format="json").status_code == 400
    assert Rule.objects.get().revision == 1


def test_one_that_is_disabled_stands_still_and_goes_on_as_what_it_was(api: APIClient) -> None:
    identity = make("by-location", "in", "out").uuid
    answer = api.post(f"{RULES}/by-location/disable", {"reason": "a drill"}, format="json")
    assert (answer.data["state"], answer.data["reason"]) == ("disabled", "a drill")
    answer = api.post(f"{RULES}/by-location/enable", {}, format="json")
    assert (answer.data["state"], answer.data["reason"]) == ("active", None)
    assert Rule.objects.get().uuid == identity


def test_one_that_begins_anew_is_another_one_to_whoever_runs_it(api: APIClient) -> None:
    identity = make("by-location", "in", "out").uuid
    answer = api.post(
        f"{RULES}/by-location/enable", {"from": {"time": "2026-01-01T00:00:00Z"}}, format="json"
    )
    assert answer.status_code == 200
    assert answer.data["uuid"] != identity.hex
    assert api.post(f"{RULES}/by-location/enable", {"from": "then"}, format="json").status_code == 400


@pytest.mark.django_db(transaction=True)
def test_the_mark_is_another_one_after_each_change() -> None:
    marks = [RulesMark.objects.values_list("mark", flat=True).first()]
    for change in (
        lambda: make("by-location", "in", "out"),
        lambda: registration.change("by-location", defaults.SETTINGS),
        lambda: registration.disable("by-location"),
        lambda: registration.enable("by-location"),
        lambda: registration.delete("by-location"),
    ):
        change()
        marks.append(RulesMark.objects.values_list("mark", flat=True).first())
    assert len(set(marks)) == 6


# --- deleted -------------------------------------------------------------------------------


def test_it_is_deleted_with_what_was_said_of_its_alerts(api: APIClient) -> None:
    row = make("by-location", "in", "out")
    Acknowledgement.objects.create(alert="0" * 24, rule=row, by="operator")
    assert api.delete(f"{RULES}/by-location").status_code == 204
    assert not Acknowledgement.objects.exists()
    assert ("rule deleted", "by-location") in actions()
    answer = api.get(f"{RULES}/by-location")
    assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:rule-unknown")


@pytest.mark.parametrize("name", ["in", "out"])
def test_a_channel_is_not_removed_under_a_rule(api: APIClient, name: str) -> None:
    make("by-location", "in", "out")
    for query in ("", "?cascade=true"):
        answer = api.delete(f"/api/v1/channels/{name}{query}")
        assert answer.status_code == 409
        assert "by-location" in answer.data["detail"]
    assert Channel.objects.filter(channel=name).exists()


# --- rights --------------------------------------------------------------------------------


def test_to_make_one_takes_the_right_on_both_channels(operator: Any) -> None:
    for grants in ([("manage", "in")], [("manage", "out")], [("manage", "in"), ("publish", "out")]):
        assert with_grants(operator, *grants).post(RULES, NEW, format="json").status_code == 403
    both = with_grants(operator, ("manage", "in"), ("manage", "out"))
    assert both.post(RULES, NEW, format="json").status_code == 201


def test_whoever_lacks_one_of_them_is_not_told_whether_there_is_such_a_rule(operator: Any) -> None:
    make("by-location", "in", "out")
    one = with_grants(operator, ("manage", "in"))
    assert one.get(RULES).data["results"] == []
    said = set()
    for name in ("by-location", "by-nothing-"):
        answer = one.get(f"{RULES}/{name}")
        assert answer.status_code == 403
        said.add(answer.data["detail"].replace(name, "NAME"))
    assert len(said) == 1
    for answer in (
        one.patch(f"{RULES}/by-location", {"settings": defaults.SETTINGS}, format="json"),
        one.delete(f"{RULES}/by-location"),
        one.post(f"{RULES}/by-location/enable", {}, format="json"),
        one.post(f"{RULES}/by-location/disable", {}, format="json"),
    ):
        assert answer.status_code == 403
    reads = with_grants(operator, ("read", "*"))
    assert reads.get(f"{RULES}/by-location").status_code == 200
    assert reads.delete(f"{RULES}/by-location").status_code == 403


# --- what comes along ----------------------------------------------------------------------


def test_nothing_is_laid_where_no_alerts_are_taken(settings: Any) -> None:
    defaults.lay()
    assert not Rule.objects.exists()
    assert not Laid.objects.exists()


def test_what_comes_along_is_laid_once(settings: Any) -> None:
    settings.RELAY_ALERTS = "true"
    defaults.lay()
    defaults.lay()
    rule = Rule.objects.select_related("to").get()
    assert (rule.to.public, rule.to.broadcast) == (True, "alert")


def test_what_an_operator_has_deleted_does_not_come_back(settings: Any) -> None:
    settings.RELAY_ALERTS = "true"
    defaults.lay()
    registration.delete(defaults.NAME)
    channels.stop("alerts.events")
    defaults.lay()
    assert not Rule.objects.exists()
    assert not Channel.objects.filter(channel="alerts.events").exists()
    assert defaults.lay_now() == ["alerts.events", defaults.NAME]


def test_with_alertmanager_a_rule_that_groups_is_laid_once(settings: Any) -> None:
    settings.RELAY_ALERTMANAGER = "open"
    defaults.lay()
    defaults.lay()
    rule = Rule.objects.select_related("channel", "to").get()
    assert (rule.name, rule.kind, rule.position) == ("alertmanager", "group", START)
    assert (rule.channel.channel, rule.to.channel) == ("relay/alertmanager", "alertmanager.notices")
    assert (rule.to.public, rule.to.broadcast, rule.channel.listen) == (False, "", False)
    registration.disable(rule.name)
    defaults.lay()
    assert Rule.objects.get().state == Rule.State.DISABLED
    registration.delete(rule.name)
    defaults.lay()
    assert not Rule.objects.exists()
    assert defaults.lay_now() == ["alertmanager"]


def test_who_groups_alerts_by_a_rule_of_his_own_is_given_no_other_one(settings: Any) -> None:
    channels.start("relay/alertmanager", EVERY, door="relay/", listen=False)
    registration.create("pages", "relay/alertmanager", "alerts.pages", "group", {}, Start(START))
    settings.RELAY_ALERTMANAGER = "token"
    for _ in range(2):
        defaults.lay()
        assert Rule.objects.get().name == "pages"
    registration.delete("pages")
    defaults.lay()
    assert not Rule.objects.exists(), "he has done without, so it is not laid later either"


def test_both_come_along_together_and_nothing_where_none_is_asked_for(settings: Any) -> None:
    with pytest.raises(BadRule, match="neither RELAY_ALERTS nor RELAY_ALERTMANAGER"):
        defaults.lay_now()
    settings.RELAY_ALERTS = settings.RELAY_ALERTMANAGER = "open"
    defaults.lay()
    assert set(Rule.objects.values_list("name", flat=True)) == {"alerts-by-location", "alertmanager"}


def test_what_is_there_before_is_used_as_it_is(settings: Any) -> None:
    channels.start("alerts", CONTENT, listen=True)
    settings.RELAY_ALERTS = "true"
    defaults.lay()
    rule = Rule.objects.select_related("channel").get()
    assert rule.channel.listen
    assert rule.channel.policy == CONTENT


def test_what_cannot_be_laid_is_said_once(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    channels.start("alerts.events", EVERY, listen=True)
    settings.RELAY_ALERTS = "true"
    for _ in range(2):
        defaults.lay()
    assert not Rule.objects.exists()
    assert caplog.text.count("manage.py rules lay") == 1
