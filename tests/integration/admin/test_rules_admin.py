"""Rules in the admin."""

import html
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from bson import ObjectId
from django.contrib.auth.models import Permission
from django.test import Client

from access_app.models import AuditEntry
from alerts_app import defaults
from alerts_app.admin.forms import EXAMPLES
from alerts_app.models import Rule
from channels_app import registration as channels
from relaycore.alerting import rules
from relaycore.policy import EVERY
from tests.integration.alerts.conftest import STARTS_AT, Told, make_rule, told
from tests.loops import Loop

__all__ = ["make_rule", "told"]

pytestmark = pytest.mark.django_db

RULES = "/admin/alerts_app/rule/"

BAD = '{"key": []}'

HOSTILE = "<script>alert(1)</script>\u202e"


def page(browser: Client, address: str, **given: Any) -> str:
    answer = browser.get(address, given)
    assert answer.status_code == 200
    return html.unescape(answer.content.decode()) if "unescaped" in given else answer.content.decode()


def test_the_list_says_how_each_fares(browser: Client, make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    told.take(rule)
    told.stand(rule, unusable=3, last_unusable="location is missing.")
    found = page(browser, RULES)
    assert "by-location" in found
    assert "location is missing." in found


def test_the_page_of_one_shows_what_is_open_and_runs_no_script_of_strangers(
    browser: Client, make_rule: Callable[..., Rule], told: Told
) -> None:
    rule = make_rule()
    told.take(rule, location=HOSTILE)
    told.stand(rule, unusable=1, last_unusable=HOSTILE)
    found = page(browser, f"{RULES}{rule.pk}/change/")
    assert "&lt;script&gt;alert(1)" in found
    assert "<script>alert(1)" not in found
    assert "\u202e" not in found


def test_one_that_nobody_has_run_says_so(browser: Client, make_rule: Callable[..., Rule], told: Told) -> None:
    assert "Nobody has run it yet." in page(browser, f"{RULES}{make_rule().pk}/change/")


def test_a_rule_is_made_in_a_form(browser: Client, told: Told) -> None:
    channel = channels.start("in", EVERY, listen=False, republish=False)
    asked = page(browser, f"{RULES}add/")
    assert f'<option value="{channel.pk}"' not in asked, "there may be a hundred thousand of them"
    where = {"app_label": "alerts_app", "model_name": "rule", "field_name": "channel", "term": "IN"}
    (found,) = json.loads(page(browser, "/admin/autocomplete/", **where))["results"]
    assert found == {"id": str(channel.pk), "text": "in"}
    form = {
        "name": "by-location",
        "reads": channel.pk,
        "writes": "out",
        "kind": "window",
        "settings": BAD,
        "start_0": "",
        "start": "earliest",
    }
    refused = browser.post(f"{RULES}add/", form)
    assert refused.status_code == 200
    assert "start: Missing" in refused.content.decode()
    assert not Rule.objects.exists()
    form["settings"] = '{"key": ["location"], "start": "receipt", "duration": {"seconds": 60}}'
    browser.post(f"{RULES}add/", form)
    row = Rule.objects.select_related("to").get()
    assert (row.name, row.to.channel, row.settings["key"]) == ("by-location", "out", ["location"])
    assert AuditEntry.objects.filter(action="rule created", actor="operator").exists()


@pytest.mark.parametrize("kind", Rule.Kind.values)
def test_the_form_shows_settings_that_each_kind_can_have(browser: Client, kind: str) -> None:
    rules.parse(kind, json.loads(EXAMPLES[kind]))
    assert f"{kind}: <code>{html.escape(EXAMPLES[kind])}</code>" in page(browser, f"{RULES}add/")


def test_settings_are_set_out_and_stay_as_they_were_typed(
    browser: Client, make_rule: Callable[..., Rule], told: Told
) -> None:
    rule = make_rule()
    found = html.unescape(page(browser, f"{RULES}{rule.pk}/change/"))
    assert json.dumps(rule.settings, indent=2) in found
    assert ">\nnull<" not in page(browser, f"{RULES}add/")
    typed = html.unescape(
        browser.post(
            f"{RULES}{rule.pk}/change/", {"settings": "{not JSON", "seen": rule.tag}
        ).content.decode()
    )
    assert "{not JSON" in typed
    assert '"{not JSON' not in typed


def test_settings_are_replaced_unless_somebody_was_quicker(
    browser: Client, make_rule: Callable[..., Rule], told: Told
) -> None:
    rule = make_rule()
    settings = '{"key": ["type"], "start": "receipt", "duration": {"seconds": 60}}'
    browser.post(f"{RULES}{rule.pk}/change/", {"settings": settings, "seen": rule.tag})
    assert Rule.objects.get().settings["key"] == ["type"]
    late = browser.post(
        f"{RULES}{rule.pk}/change/",
        {"settings": settings.replace("type", "place"), "seen": rule.tag},
        follow=True,
    )
    assert "has been changed meanwhile" in late.content.decode()
    assert Rule.objects.get().settings["key"] == ["type"]


def test_it_is_disabled_and_enabled(browser: Client, make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    told.take(rule)
    told.stand(rule)
    assert "Enable…" not in page(browser, f"{RULES}{rule.pk}/change/")
    browser.post(f"{RULES}{rule.pk}/disable/", {"reason": "a drill"})
    assert "Enable…" in page(browser, f"{RULES}{rule.pk}/change/")
    row = Rule.objects.get()
    assert (row.state, row.reason) == ("disabled", "a drill")
    asked = page(browser, f"{RULES}{rule.pk}/enable/", look=1, to="earliest")
    assert "1 open alerts are forgotten" in asked
    browser.post(f"{RULES}{rule.pk}/enable/", {"to": "here"})
    row = Rule.objects.get()
    assert (row.state, row.uuid) == ("active", rule.uuid)
    browser.post(f"{RULES}{rule.pk}/enable/", {"to": "earliest"})
    assert Rule.objects.get().uuid != rule.uuid


def test_it_is_deleted(browser: Client, make_rule: Callable[..., Rule], told: Told) -> None:
    rule = make_rule()
    assert "rule by-location" in page(browser, f"{RULES}{rule.pk}/delete/")
    browser.post(f"{RULES}{rule.pk}/delete/", {"post": "yes"})
    assert not Rule.objects.exists()
    assert AuditEntry.objects.filter(action="rule deleted").exists()


def test_whoever_may_only_look_changes_nothing(
    client: Client, django_user_model: Any, make_rule: Callable[..., Rule], told: Told
) -> None:
    rule = make_rule()
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_rule"))
    client.force_login(clerk)
    found = page(client, f"{RULES}{rule.pk}/change/")
    assert "by-location" in found
    assert "Disable…" not in found
    assert client.post(f"{RULES}{rule.pk}/disable/", {"reason": ""}).status_code == 403
    assert client.post(f"{RULES}{rule.pk}/change/", {"settings": "{}"}).status_code == 403
    assert Rule.objects.get().settings == defaults.SETTINGS


def test_without_mongodb_the_pages_say_that_it_is_not_known(
    browser: Client, make_rule: Callable[..., Rule], told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pymongo.errors import ServerSelectionTimeoutError

    def away(*_: Any) -> Any:
        raise ServerSelectionTimeoutError("nobody there")

    rule = make_rule()
    monkeypatch.setattr("alerts_app.keeping.frontiers", away)
    assert "by-location" in page(browser, RULES)
    assert "MongoDB does not answer" in page(browser, f"{RULES}{rule.pk}/change/")


@pytest.mark.django_db(transaction=True)
def test_it_is_tried_on_what_is_stored(
    browser: Client, make_rule: Callable[..., Rule], told: Told, archive: Any, writer: Loop
) -> None:
    rule = make_rule()
    body = json.dumps(
        {"location": HOSTILE, "type": "Flood", "timestamp": "2026-11-21T12:00:00Z", "duration": 15}
    )
    archive.insert_one(
        {
            "_id": ObjectId(),
            "channel": "in",
            "message": body,
            "received_at": datetime.now(UTC),
            "position": f"{STARTS_AT:013d}-0000000000-00000",
        }
    )
    address = f"{RULES}{rule.pk}/try/"
    assert "What it would tell of what is stored" in page(browser, address)
    answer = browser.post(address, {"settings": json.dumps(rule.settings), "since": "", "until": ""})
    found = answer.content.decode()
    assert "1 messages, up to" in found
    assert "&lt;script&gt;alert(1)" in found
    assert "<script>alert(1)" not in found
    refused = browser.post(address, {"settings": BAD, "since": "", "until": ""}).content.decode()
    assert "start: Missing" in refused
    assert Rule.objects.get().revision == 1


def test_a_stranger_to_rules_tries_none(
    client: Client, django_user_model: Any, make_rule: Callable[..., Rule], told: Told
) -> None:
    rule = make_rule()
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.get(f"{RULES}{rule.pk}/try/").status_code == 403
