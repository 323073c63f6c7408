"""The page of open alerts: who sees it, what it reads, and what nobody in particular is not told."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from pymongo.errors import ServerSelectionTimeoutError

from alerts_app import alerts, places
from alerts_app.handling import deciding
from alerts_app.models import Rule
from channels_app import registration as channels
from tests.integration.alerts.conftest import Told

pytestmark = pytest.mark.django_db

MakeRule = Callable[..., Rule]

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def anybody() -> Client:
    return Client()


def shown(client: Client, address: str = "/alerts/state") -> Any:
    answer = client.get(address)
    assert answer.status_code == 200, answer.content
    return json.loads(answer.content)


def test_who_may_see_rules_sees_what_is_open(browser: Client, make_rule: MakeRule, told: Told) -> None:
    rule = make_rule()
    id = told.take(rule)
    deciding.acknowledge(alerts.find(id), "ana", "")

    found = shown(browser)

    assert (found["may_handle"], found["is_whole"]) == (True, True)
    (alert,) = found["alerts"]
    assert {name: alert[name] for name in ("id", "rule", "key", "alerts", "said", "acknowledged", "by")} == {
        "id": id,
        "rule": "by-location",
        "key": {"location": "Harbour"},
        "alerts": 1,
        "said": {"type": "Flood"},
        "acknowledged": True,
        "by": "ana",
    }
    # By this the page knows what of all that is told is in it.
    assert alert["upto"] == told.events(rule)[0]["attributes"]["cause"]
    (one,) = found["rules"]
    assert (one["uuid"], one["to"], one["key"], one["is_active"]) == (
        rule.uuid.hex,
        "out",
        ["location"],
        True,
    )


def test_the_page_brings_it_along_and_lets_nothing_of_it_run(
    browser: Client, make_rule: MakeRule, told: Told
) -> None:
    told.take(make_rule(), location=HOSTILE)
    for address in ("/alerts", "/alerts/"):
        answer = browser.get(address)
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()
        assert "default-src 'self'" in answer["Content-Security-Policy"]
        assert "no-store" in answer["Cache-Control"]
    assert shown(browser)["alerts"][0]["key"]["location"] == HOSTILE


def test_who_is_nobody_sees_what_is_told_in_public_and_not_who_sees_to_it(
    anybody: Client, make_rule: MakeRule, told: Told
) -> None:
    rule = make_rule()
    deciding.acknowledge(alerts.find(told.take(rule)), "ana", "a note")
    assert anybody.get("/alerts/").status_code == 302
    assert anybody.get("/alerts/")["Location"] == "/admin/login/?next=/alerts/"
    assert anybody.get("/alerts/state").status_code == 403

    channels.change("out", public=True)
    found = shown(anybody)
    assert found["may_handle"] is False
    assert (found["alerts"][0]["acknowledged"], found["alerts"][0]["by"]) == (True, None)
    page = anybody.get("/alerts/")
    assert page.status_code == 200
    assert "ana" not in page.content.decode()
    assert "a note" not in page.content.decode()

    other = make_rule("other", "in.2", "out.2")  # It tells on a channel that is not.
    told.take(other, location="Nobody's business")
    found = shown(anybody)
    assert [rule["name"] for rule in found["rules"]] == ["by-location"]
    assert [alert["rule"] for alert in found["alerts"]] == ["by-location"]
    assert "business" not in anybody.get("/alerts/").content.decode()
    asked = "/alerts/place?rule=other&key=" + quote('{"location": "Nobody\'s business"}')
    assert anybody.get(asked).status_code == 404


def test_without_any_rule_nobody_in_particular_sees_nothing(anybody: Client, relay_keys: Any) -> None:
    assert anybody.get("/alerts/").status_code == 302


def test_who_may_look_and_not_handle_is_given_no_button(make_rule: MakeRule, told: Told) -> None:
    told.take(make_rule())
    user = User.objects.create_user("looks")
    client = Client()
    client.force_login(user)
    assert client.get("/alerts/state").status_code == 403
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=[name.split(".")[1] for name in places.SEE])
    )
    assert shown(client)["may_handle"] is False
    assert 'data-token=""' in client.get("/alerts/").content.decode()


def test_what_was_told_of_a_place_is_its_own_and_the_newest_first(
    browser: Client, make_rule: MakeRule, told: Told
) -> None:
    rule, other = make_rule(), make_rule("other", "in.2", "out.2")
    told.take(rule)
    told.take(rule, location="Elsewhere")
    told.take(other)
    told.end(rule)
    forged = {"location": "Harbour", "eventType": "close"}
    told.publish("out", "a token", forged, alert_id="0" * 24, event="close", rule=rule.uuid.hex)

    found = shown(browser, '/alerts/place?rule=by-location&key={"location":"Harbour"}')

    assert [one["said"]["eventType"] for one in found["told"]] == ["close", "open"]
    assert {one["said"]["location"] for one in found["told"]} == {"Harbour"}
    assert found["is_all"] is True


@pytest.mark.parametrize("query", ["", "?rule=by-location", "?rule=by-location&key=[", "?rule=no&key={}"])
def test_a_place_that_there_is_not_is_said_to_be_none(
    browser: Client, make_rule: MakeRule, query: str
) -> None:
    make_rule()
    answer = browser.get(f"/alerts/place{query}")
    assert answer.status_code == 404
    assert "no such rule" in json.loads(answer.content)["detail"]


def test_without_mongodb_the_page_comes_and_says_so(
    browser: Client, make_rule: MakeRule, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise ServerSelectionTimeoutError("away")

    make_rule()
    monkeypatch.setattr(alerts, "page", fail)
    answer = browser.get("/alerts/")
    assert answer.status_code == 200
    assert '<script id="state" type="application/json">null</script>' in answer.content.decode()
    assert browser.get("/alerts/state").status_code == 503


def test_it_is_only_looked_at(browser: Client) -> None:
    for address in ("/alerts/", "/alerts/state", "/alerts/place"):
        assert browser.post(address).status_code == 405
