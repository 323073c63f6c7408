"""Messages that are older than their channel keeps them are deleted."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId

from access_app.models import AuditEntry
from channels_app.models import Channel
from channels_app.registration import start
from messages_app.searching.history import Search, at, read
from messages_app.writing import retention
from relayproject import keys
from relayproject.tasks import delete_expired

pytestmark = pytest.mark.django_db


def _store(archive: Any, channel: str, *ages: int) -> None:
    """Messages that were put on the stream so many seconds ago."""
    now = datetime.now(UTC)
    archive.insert_many(
        {
            "_id": ObjectId(),
            "channel": channel,
            "message": str(age),
            "received_at": now,
            "position": at(now - timedelta(seconds=age)),
        }
        for age in ages
    )


def _kept(channel: str) -> list[str]:
    return [found["message"] for found in read(Search(channel), limit=100).messages]


def test_it_is_off_by_default(archive: Any, relay_keys: Any) -> None:
    start("orders")
    _store(archive, "orders", 10**8)

    delete_expired()

    assert _kept("orders") == [str(10**8)]


def test_a_change_holds_at_once_for_what_is_stored_already(api: Any, archive: Any, relay_keys: Any) -> None:
    start("orders")
    start("other")
    _store(archive, "orders", 5, 50, 100, 1000)
    _store(archive, "other", 1000)
    relay_keys.hset(keys.stored(0), mapping={"orders": 4, "other": 1})

    answer = api.patch("/api/v1/channels/orders", {"retention_seconds": 500}, format="json")
    assert answer.json()["retention_seconds"] == 500
    delete_expired()
    assert _kept("orders") == ["5", "50", "100"]
    api.patch("/api/v1/channels/orders", {"retention_seconds": 60}, format="json")
    delete_expired()

    assert _kept("orders") == ["5", "50"]
    assert _kept("other") == ["1000"]
    assert api.get("/api/v1/channels/orders").json()["messages_stored"] == 2
    changes = AuditEntry.objects.filter(action="channel changed").order_by("id")
    assert [entry.details for entry in changes] == [{"retention_seconds": 500}, {"retention_seconds": 60}]


def test_it_is_turned_off_again(api: Any, archive: Any, relay_keys: Any) -> None:
    body = {"channel": "orders", "retention_seconds": 60}
    assert api.post("/api/v1/start-listening", body, format="json").json()["retention_seconds"] == 60
    _store(archive, "orders", 100)
    api.patch("/api/v1/channels/orders", {"retention_seconds": None}, format="json")

    delete_expired()

    assert _kept("orders") == ["100"]


@pytest.mark.parametrize("seconds", [0, 59, -1, 10**12, "60", 60.5, True, []])
def test_nonsense_is_refused(api: Any, seconds: Any) -> None:
    start("orders")

    answer = api.patch("/api/v1/channels/orders", {"retention_seconds": seconds}, format="json")
    assert (answer.status_code, "retention_seconds" in answer.json()["errors"]) == (400, True)
    body = {"channel": "x", "retention_seconds": seconds}
    assert api.post("/api/v1/start-listening", body, format="json").status_code == 400
    assert list(Channel.objects.values_list("channel", "retention_seconds")) == [("orders", None)]


def test_many_are_deleted_in_batches_and_no_longer_than_allowed(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 10)
    _store(archive, "orders", *range(100, 125))
    below = at(datetime.now(UTC))

    assert retention.expire("orders", 0, below, deadline=time.monotonic() - 1) == 0
    assert retention.expire("orders", 0, below, deadline=time.monotonic() + 60) == 25
    assert archive.count_documents({}) == 0


def test_the_admin_changes_it_for_what_is_stored_already(browser: Any, archive: Any, relay_keys: Any) -> None:
    row = start("orders")
    _store(archive, "orders", 50, 5500)
    form = {"deduplicate": '"content"', "retention_seconds": "5400"}

    browser.post(f"/admin/channels_app/channel/{row.pk}/change/", form)
    delete_expired()

    assert _kept("orders") == ["50"]
    assert AuditEntry.objects.latest("id").details == {"retention_seconds": 5400}
    listed = browser.get("/admin/channels_app/channel/").content.decode()
    assert '<td class="field-kept">90 min</td>' in listed


@pytest.mark.parametrize("seconds", ["59", "-1", str(10**12), "60.5", "an hour"])
def test_the_admin_refuses_nonsense(browser: Any, seconds: str) -> None:
    row = start("orders")
    form = {"deduplicate": '"content"', "retention_seconds": seconds}

    answer = browser.post(f"/admin/channels_app/channel/{row.pk}/change/", form)

    assert "errorlist" in answer.content.decode()
    assert Channel.objects.get().retention_seconds is None
