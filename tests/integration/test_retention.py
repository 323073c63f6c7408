"""Messages that are older than their channel keeps them are deleted."""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bson import ObjectId
from celery import signals

from access_app.models import AuditEntry
from channels_app.models import Channel
from channels_app.registration import retain, start
from messages_app.searching.history import Search, at, read
from messages_app.writing import retention
from relaybase import keys
from relayproject import tasks
from relayproject.tasks import delete_all_expired

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

    delete_all_expired()

    assert _kept("orders") == [str(10**8)]


def test_a_change_holds_at_once_for_what_is_stored_already(api: Any, archive: Any, relay_keys: Any) -> None:
    start("orders")
    start("other")
    _store(archive, "orders", 5, 50, 100, 1000)
    _store(archive, "other", 1000)
    relay_keys.hset(keys.stored(0), mapping={"orders": 4, "other": 1})

    answer = api.patch("/api/v1/channels/orders", {"retention_seconds": 500}, format="json")
    assert answer.json()["retention_seconds"] == 500
    delete_all_expired()
    assert _kept("orders") == ["5", "50", "100"]
    api.patch("/api/v1/channels/orders", {"retention_seconds": 60}, format="json")
    delete_all_expired()

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

    delete_all_expired()

    assert _kept("orders") == ["100"]


@pytest.mark.parametrize("seconds", [0, 59, -1, 10**12, "60", 60.5, True, []])
def test_nonsense_is_refused(api: Any, seconds: Any) -> None:
    start("orders")

    answer = api.patch("/api/v1/channels/orders", {"retention_seconds": seconds}, format="json")
    assert (answer.status_code, "retention_seconds" in answer.json()["errors"]) == (400, True)
    body = {"channel": "x", "retention_seconds": seconds}
    assert api.post("/api/v1/start-listening", body, format="json").status_code == 400
    assert list(Channel.objects.values_list("channel", "retention_seconds")) == [("orders", None)]


def test_many_are_deleted_in_batches_until_it_is_to_stop(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 10)
    _store(archive, "orders", *range(100, 125))
    relay_keys.hset(keys.stored(0), "orders", 25)
    below = at(datetime.now(UTC))

    assert retention.expire("orders", 0, below, stopping=lambda: True) == (10, True)
    assert relay_keys.hget(keys.stored(0), "orders") == b"15"
    assert retention.expire("orders", 0, below, stopping=lambda: False) == (15, False)
    assert archive.count_documents({}) == 0
    assert relay_keys.hget(keys.stored(0), "orders") == b"0"


def test_a_channel_with_much_to_delete_takes_turns_with_the_others(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 1)
    monkeypatch.setattr(tasks, "_TURN_SECONDS", 0.0)
    for name, messages in (("busy", 5), ("quiet", 1)):
        start(name, retention_seconds=60)
        _store(archive, name, *range(100, 100 + messages))

    with caplog.at_level("INFO", "relayproject.tasks"):
        assert delete_all_expired() == 6

    turns = [record.__dict__["channel"] for record in caplog.records]
    assert sorted(turns[:2]) == ["busy", "quiet"]
    assert turns[2:] == ["busy"] * 4


def test_a_change_holds_for_the_next_turn_already(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("orders", retention_seconds=60)
    _store(archive, "orders", 100, 101, 102)
    monkeypatch.setattr(retention, "_BATCH", 1)
    monkeypatch.setattr(tasks, "_TURN_SECONDS", 0.0)

    def expire_and_change(*args: Any, **kwargs: Any) -> tuple[int, bool]:
        done = retention.expire(*args, **kwargs)
        retain("orders", None)
        return done

    monkeypatch.setattr(tasks, "expire", expire_and_change)
    delete_all_expired()

    assert _kept("orders") == ["100", "101"]


@pytest.mark.django_db(transaction=True)
def test_the_task_deletes_beside_the_worker_once_at_a_time(
    archive: Any, relay_keys: Any, wait_until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, passes = threading.Event(), []

    def delete() -> int:
        passes.append(1)
        go_on.wait(10)
        return delete_all_expired()

    monkeypatch.setattr(tasks, "delete_all_expired", delete)
    start("orders", retention_seconds=60)
    _store(archive, "orders", 100)
    tasks.delete_expired()
    tasks.delete_expired()
    assert _kept("orders") == ["100"]

    go_on.set()
    wait_until(lambda: _kept("orders") == [])
    wait_until(lambda: tasks._Own.deleting is not None and tasks._Own.deleting.done())
    assert len(passes) == 1
    tasks.delete_expired()
    wait_until(lambda: len(passes) == 2 and tasks._Own.deleting is not None and tasks._Own.deleting.done())


def test_the_admin_changes_it_for_what_is_stored_already(browser: Any, archive: Any, relay_keys: Any) -> None:
    row = start("orders")
    _store(archive, "orders", 50, 5500)
    form = {"deduplicate": '"content"', "retention_seconds": "5400"}

    browser.post(f"/admin/channels_app/channel/{row.pk}/change/", form)
    delete_all_expired()

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


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_stops_waits_for_the_batch_that_is_under_way(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 1)
    begun = threading.Event()

    def expire_slowly(*args: Any, **kwargs: Any) -> tuple[int, bool]:
        begun.set()
        time.sleep(0.3)
        return retention.expire(*args, **kwargs)

    monkeypatch.setattr(tasks, "expire", expire_slowly)
    monkeypatch.setattr(tasks._Own, "deleting", None)
    start("orders", retention_seconds=60)
    _store(archive, "orders", 100, 101, 102)
    relay_keys.hset(keys.stored(0), "orders", 3)

    tasks.delete_expired()
    assert begun.wait(5)
    monkeypatch.setattr(tasks.stopping, "worker_stops", lambda: True)
    signals.worker_shutdown.send(sender=None)

    assert _kept("orders") == ["100", "101"]
    assert relay_keys.hget(keys.stored(0), "orders") == b"2"
