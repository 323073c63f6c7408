"""The audit log: who did what, by whichever way."""

from ipaddress import ip_network
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction

from access_app.models import AuditEntry
from channels_app import registration
from channels_app.models import Channel
from relaycore.errors import ChannelExists, ChannelUnknown
from relaycore.policy import EVERY
from tests.integration.admin.filled import add_channel

pytestmark = pytest.mark.django_db


def _entries() -> list[tuple[str, str, str, str]]:
    rows = AuditEntry.objects.exclude(action__startswith="token").order_by("id")
    return list(rows.values_list("actor", "via", "action", "target"))


def test_a_program_is_logged_with_the_name_of_its_token(api: Any) -> None:
    api.post("/api/v1/start-listening", {"channel": "orders"}, format="json")
    api.patch("/api/v1/channels/orders", {"deduplicate": "every"}, format="json")
    api.delete("/api/v1/stop-listening/orders")

    assert _entries() == [
        ("operator", "token tests", "channel started", "orders"),
        ("operator", "token tests", "channel changed", "orders"),
        ("operator", "token tests", "channel stopped", "orders"),
    ]
    entry = AuditEntry.objects.filter(action="channel changed").get()
    assert (entry.details, entry.address) == ({"deduplicate": "every"}, "127.0.0.1")


def test_a_person_is_logged_with_the_session(browser: Any) -> None:
    add_channel(browser, "orders")
    row = Channel.objects.get()
    chosen = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    browser.post("/admin/channels_app/channel/", chosen)

    assert _entries() == [
        ("operator", "session", "channel started", "orders"),
        ("operator", "session", "channel stopped", "orders"),
    ]


def test_a_command_is_logged_with_the_account_of_the_host(operator: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "ops")
    call_command("tokens", "make", "x", "--user", "operator")

    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("ops", "token made", "x")
    assert entry.via.startswith("command ")


def test_what_was_refused_or_undone_is_not_logged() -> None:
    registration.start("orders")
    before = len(_entries())
    with pytest.raises(ChannelExists):
        registration.start("orders")
    with pytest.raises(ChannelUnknown):
        registration.change("nothing", EVERY)
    with pytest.raises(ChannelUnknown):
        registration.stop("nothing")
    with transaction.atomic():
        registration.stop("orders")
        transaction.set_rollback(True)

    assert len(_entries()) == before


def test_nobody_changes_the_log(browser: Any) -> None:
    registration.start("orders")
    entry = AuditEntry.objects.get()

    assert browser.get("/admin/access_app/auditentry/").status_code == 200
    assert browser.post(f"/admin/access_app/auditentry/{entry.pk}/delete/").status_code == 403
    assert browser.get("/admin/access_app/auditentry/add/").status_code == 403


def test_behind_a_proxy_it_is_the_clients_address(api: Any, settings: Any) -> None:
    claimed = {"HTTP_X_FORWARDED_FOR": "198.51.100.1, 203.0.113.7"}
    api.post("/api/v1/start-listening", {"channel": "a"}, format="json", **claimed)
    settings.RELAY_TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    api.post("/api/v1/start-listening", {"channel": "b"}, format="json", **claimed)

    entries = AuditEntry.objects.filter(action="channel started").order_by("id")
    assert [entry.address for entry in entries] == ["127.0.0.1", "203.0.113.7"]
