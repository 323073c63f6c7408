"""The quarantine in the admin: why, what, and the way back."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from access_app.models import AuditEntry
from messages_app.models import Quarantined
from messages_app.writing.writer import Writer
from relaybase import keys
from relaybase.connections import mongo_collection
from tests.integration.writing.world import term

pytestmark = pytest.mark.django_db

LIST = reverse("admin:messages_app_quarantined_changelist")
Put = Callable[..., str]


def _retry(browser: Client, *ids: str) -> str:
    data = {"action": "retry", "_selected_action": list(ids)}
    return browser.post(LIST, data, follow=True).content.decode()


def test_the_list_says_why_and_shows_the_beginning(browser: Client, quarantine: Put) -> None:
    quarantine("orders", b"<script>alert(1)</script>" + b"x" * 200, "MongoDB refuses it: <b>code 121</b>")
    quarantine("audit", b"\xff\x00", number=2)

    html = browser.get(LIST).content.decode()

    assert "MongoDB refuses it: &lt;b&gt;code 121&lt;/b&gt;" in html
    assert "<code>&lt;script&gt;alert(1)&lt;/script&gt;xxx" in html
    assert "<code>ff 00</code>" in html
    assert "225 B" in html


def test_a_channel_can_be_searched(browser: Client, quarantine: Put) -> None:
    quarantine("orders", b"one")
    quarantine("audit", b"two", number=2)

    html = browser.get(LIST, {"q": "audit"}).content.decode()

    assert "<code>two</code>" in html
    assert "<code>one</code>" not in html


def test_what_is_retried_is_stored_once_by_the_next_writer(
    browser: Client, quarantine: Put, archive: Any, relay_keys: Any, operator: Any
) -> None:
    ids = [quarantine("orders", b"hello"), quarantine("orders", b"world", number=2)]

    page = _retry(browser, *ids)

    assert "2 messages are being sent again: they leave quarantine once stored." in page
    assert Quarantined.objects.count() == 2
    assert page.count("It is being sent again, and leaves quarantine once it is stored.") == 2
    assert "Not retried (2): It is being sent again" in _retry(browser, *ids)
    assert AuditEntry.objects.filter(action="quarantine put back", actor=operator.username).count() == 2
    writer = Writer(term(), lambda: archive.count_documents({}) == 2)
    writer.run()
    assert {row["message"] for row in archive.find()} == {"hello", "world"}
    assert not Quarantined.objects.exists()


def test_the_page_of_one_entry_says_what_its_publisher_said(browser: Client, quarantine: Put) -> None:
    address = reverse("admin:messages_app_quarantined_change", args=[quarantine("orders", b"hello")])
    said = {"attributes": {"kind": "<new>"}, "content_type": "text/\u202ex", "produced_by": "billing"}
    mongo_collection("quarantine").update_one({}, {"$set": said})

    page = browser.get(address).content.decode()

    assert "text/⟨202E⟩x" in page
    assert "billing" in page
    assert "{&quot;kind&quot;: &quot;&lt;new&gt;&quot;}" in page


def test_the_page_of_one_entry_has_its_payload_and_a_button(
    browser: Client, quarantine: Put, relay_keys: Any
) -> None:
    address = reverse("admin:messages_app_quarantined_change", args=[quarantine("orders", b'{"id": 1}')])

    page = browser.get(address).content.decode()

    assert '<span class="json-key">&quot;id&quot;</span>: ' in page
    assert "Put it back on the stream" in page
    assert browser.post(address, {"_retry": "1"}, follow=True).status_code == 200
    assert relay_keys.xlen(keys.stream(0)) == 1
    assert "It is being sent again" in browser.get(address).content.decode()


def test_what_cannot_be_retried_says_why_and_has_no_button(
    browser: Client, quarantine: Put, relay_keys: Any, settings: Any
) -> None:
    settings.RELAY_MESSAGE_MAX_BYTES = 3
    key = quarantine("orders", b"hello")

    page = browser.get(reverse("admin:messages_app_quarantined_change", args=[key])).content.decode()

    assert "Raise that first." in page
    assert "Put it back on the stream" not in page
    assert "Not retried (1): It has 5 bytes" in _retry(browser, key)
    assert relay_keys.xlen(keys.stream(0)) == 0
    assert Quarantined.objects.exists()


def test_while_redis_is_away_a_retry_says_so(browser: Client, quarantine: Put, redis_away: None) -> None:
    assert "Redis does not take it." in _retry(browser, quarantine("orders", b"hello"))
    assert Quarantined.objects.exists()


def test_who_may_only_look_cannot_retry(
    client: Client, quarantine: Put, relay_keys: Any, django_user_model: Any
) -> None:
    key = quarantine("orders", b"hello")
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_quarantined"))
    client.force_login(clerk)
    address = reverse("admin:messages_app_quarantined_change", args=[key])

    assert "Put it back" not in client.get(address).content.decode()
    client.post(address, {"_retry": "1"})
    _retry(client, key)

    assert relay_keys.xlen(keys.stream(0)) == 0
    assert Quarantined.objects.exists()


@pytest.mark.parametrize("query", [{}, {"q": "orders"}])
def test_the_list_comes_from_an_index(
    query: dict[str, str], browser: Client, quarantine: Put, archive: Any
) -> None:
    quarantine("orders", b"hello")
    database = archive.database
    database.command("profile", 2)
    try:
        browser.get(LIST, query)
    finally:
        database.command("profile", 0)
    plans = [
        row.get("planSummary", "")
        for row in database["system.profile"].find({"ns": f"{database.name}.quarantine"})
    ]
    database.drop_collection("system.profile")
    assert any("IXSCAN" in plan for plan in plans)
    assert not any("COLLSCAN" in plan for plan in plans)


def _act(browser: Client, action: str, *ids: str) -> str:
    data = {"action": action, "_selected_action": list(ids)}
    return browser.post(LIST, data, follow=True).content.decode()


def _warns(browser: Client) -> bool:
    tiles: str = browser.get(reverse("admin:state")).json()["parts"]["tiles"]
    return 'class="tile warn" href="/admin/messages_app/quarantined/"' in tiles


def test_what_is_acknowledged_stays_and_warns_no_more(
    browser: Client, quarantine: Put, operator: Any
) -> None:
    keys = [quarantine("orders", b"one"), quarantine("orders", b"two", number=2)]
    assert _warns(browser)

    assert "1 message acknowledged." in _act(browser, "acknowledge", keys[0])
    assert _warns(browser)
    address = reverse("admin:messages_app_quarantined_change", args=[keys[1]])
    assert "Acknowledge" in browser.get(address).content.decode()
    browser.post(address, {"_acknowledge": "1"})

    assert not _warns(browser)
    assert 'value="Acknowledge"' not in browser.get(address).content.decode()
    assert Quarantined.objects.count() == 2
    entries = AuditEntry.objects.filter(action="quarantine acknowledged")
    assert {(entry.target, entry.actor, entry.details["channel"]) for entry in entries} == {
        (key, "operator", "orders") for key in keys
    }
    assert "<code>one</code>" not in browser.get(LIST, {"acknowledged": "no"}).content.decode()
    assert "<code>one</code>" in browser.get(LIST, {"acknowledged": "yes"}).content.decode()


def test_what_is_discarded_is_gone_and_on_record(browser: Client, quarantine: Put) -> None:
    keys = [quarantine("orders", b"secret", number=number) for number in range(1, 4)]

    assert "2 messages discarded." in _act(browser, "discard", *keys[:2])
    browser.post(reverse("admin:messages_app_quarantined_change", args=[keys[2]]), {"_discard": "1"})

    assert not Quarantined.objects.exists()
    assert not _warns(browser)
    entries = list(AuditEntry.objects.filter(action="quarantine discarded"))
    assert {entry.target for entry in entries} == set(keys)
    assert "secret" not in str([entry.details for entry in entries])


def test_who_may_only_look_cannot_discard_or_acknowledge(
    client: Client, quarantine: Put, django_user_model: Any
) -> None:
    key = quarantine("orders", b"hello")
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="view_quarantined"))
    client.force_login(clerk)
    address = reverse("admin:messages_app_quarantined_change", args=[key])

    html = client.get(address).content.decode()
    assert 'name="_discard"' not in html
    assert 'name="_acknowledge"' not in html
    for button in ("discard", "acknowledge"):
        client.post(address, {f"_{button}": "1"})
        _act(client, button, key)

    assert Quarantined.objects.get().acknowledged_at is None
    # That somebody was given a permission is on record too.
    assert not AuditEntry.objects.filter(action__startswith="quarantine").exists()
