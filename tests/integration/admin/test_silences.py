"""Silences in the admin: made, shown with whatever is written in them, ended."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from access_app.models import AuditEntry
from alerts_app.models import HeardAlert, Silence
from alerts_app.receiving import posting
from alerts_app.silencing import registration
from relaycore.alerting.labelled import matchers
from relaycore.alerting.labelled.labels import fingerprint
from relaycore.alerting.labelled.posted import Alert
from relaycore.alerting.labelled.silences import Silence as Decided

pytestmark = pytest.mark.django_db

SILENCES = "/admin/alerts_app/silence/"
HOSTILE = "<script>alert(1)</script>"


def _form(**changed: Any) -> dict[str, Any]:
    ends = timezone.now() + timedelta(hours=1)
    return {
        "asked": 'alertname="Slow"\n\nhost=~a|b\n',
        "starts_at_0": "",
        "starts_at_1": "",
        "ends_at_0": ends.strftime("%Y-%m-%d"),
        "ends_at_1": ends.strftime("%H:%M:%S"),
        "comment": HOSTILE,
        **changed,
    }


def test_one_is_made_and_ended(browser: Client) -> None:
    assert browser.get(f"{SILENCES}add/").status_code == 200
    answer = browser.post(f"{SILENCES}add/", _form())
    assert answer.status_code == 302, answer.content.decode()
    row = Silence.objects.get()
    assert [str(one) for one in row.decided.matchers] == ['alertname="Slow"', 'host=~"a|b"']
    assert row.created_by == "operator"
    for address in (SILENCES, f"{SILENCES}?state=active", f"{SILENCES}{row.pk}/change/"):
        shown = browser.get(address).content.decode()
        assert "alertname=&quot;Slow&quot;" in shown
        assert HOSTILE not in shown
    assert "alertname" not in browser.get(f"{SILENCES}?state=expired").content.decode().split("<main")[-1]

    said = browser.get(f"{SILENCES}{row.pk}/change/").content.decode()
    (form,) = [part for part in said.split("<form")[1:] if "Expire now" in part]
    hidden = dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))
    browser.post(re.findall(r'action="([^"]*)"', form)[0], hidden)
    row.refresh_from_db()
    assert "Expire now" not in browser.get(f"{SILENCES}{row.pk}/change/").content.decode()
    assert row.decided.state(registration.now()) == "expired"
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["silence expired", "silence put"]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"asked": "a=~.*"}, "silence everything"),
        ({"asked": "nonsense"}, "A matcher must be as"),
        ({"asked": " \n"}, "required"),
        ({"ends_at_0": "2020-01-01"}, "in the past"),
    ],
)
def test_what_cannot_be_meant_is_said_on_the_page(browser: Client, changed: dict[str, Any], why: str) -> None:
    answer = browser.post(f"{SILENCES}add/", _form(**changed))
    assert answer.status_code == 200
    assert why in answer.content.decode()
    assert not Silence.objects.exists()


def test_nobody_changes_one(browser: Client) -> None:
    asked = Decided("", (matchers.parse("a=b"),), 0, registration.now() + 3_600_000)
    row = registration.put(asked, "me", "")
    assert browser.post(f"{SILENCES}{row.pk}/change/", _form()).status_code == 403
    assert browser.post(f"{SILENCES}{row.pk}/delete/", {"post": "yes"}).status_code == 403


def test_whoever_may_only_look_is_shown_no_button(client: Client, django_user_model: Any) -> None:
    row = registration.put(Decided("", (matchers.parse("a=b"),), 0, registration.now() + 3_600_000), "me", "")
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_silence"))
    client.force_login(clerk)
    shown = client.get(f"{SILENCES}{row.pk}/change/").content.decode()
    assert "a=&quot;b&quot;" in shown
    assert "Expire now" not in shown


def test_alerts_say_whether_they_fire(browser: Client) -> None:
    ends = registration.now() + 3_600_000
    for name, until in (("Slow", ends), ("Full", 1)):
        labels = {"alertname": name}
        posting.take([Alert(fingerprint(labels), labels, {}, "", 0, until, False)])
    HeardAlert.objects.filter(labels__alertname="Full").update(is_firing=False)
    for state, name, other in (("firing", "Slow", "Full"), ("resolved", "Full", "Slow")):
        shown = browser.get(f"/admin/alerts_app/heardalert/?state={state}").content.decode()
        (table,) = re.findall(r'<table id="result_list">.*?</table>', shown, re.DOTALL)
        assert f">{state}<" in table
        assert name in table
        assert other not in table


def test_alerts_are_shown_with_whatever_is_in_them(browser: Client) -> None:
    labels = {"alertname": HOSTILE}
    ends = registration.now() + 3_600_000
    posting.take([Alert(fingerprint(labels), labels, {"summary": HOSTILE}, "javascript:x", 0, ends, False)])
    row = HeardAlert.objects.get()
    for address in ("", f"{row.pk}/change/"):
        shown = browser.get(f"/admin/alerts_app/heardalert/{address}").content.decode()
        assert "&lt;script&gt;alert(1)" in shown
        assert HOSTILE not in shown
        assert 'href="javascript' not in shown
