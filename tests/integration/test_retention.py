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
from channels_app.registration import change, start
from messages_app import expired
from messages_app.searching import watermark
from messages_app.searching.history import Search, at, read
from messages_app.writing import counting, retention
from messages_app.writing.counting import Recount
from messages_app.writing.stream import Stream
from relaybase import keys
from relaybase.connections import mongo_collection
from relaycore.storing import shortening
from relaycore.storing.expiring import Expired
from relayproject import tasks
from relayproject.tasks import delete_all_expired
from tests.integration.admin.filled import filled

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the minute that a shorter time waits: `test_shortening` is about that."""
    monkeypatch.setattr(shortening, "WAIT", timedelta(0))


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
        change("orders", retention_seconds=None)
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
    address = f"/admin/channels_app/channel/{row.pk}/change/"
    page = browser.get(address).content.decode()

    browser.post(address, filled(page, retention_seconds_0="90", retention_seconds_1="60"))
    delete_all_expired()

    assert _kept("orders") == ["50"]
    assert AuditEntry.objects.latest("id").details == {"retention_seconds": 5400}
    listed = browser.get("/admin/channels_app/channel/").content.decode()
    assert '<td class="field-kept">90 min</td>' in listed


@pytest.mark.parametrize(
    ("number", "unit"),
    [("59", "1"), ("-1", "60"), ("0", "60"), (str(10**12), "1"), ("60.5", "1"), ("an hour", "1"), ("1", "2")],
)
def test_the_admin_refuses_nonsense(browser: Any, number: str, unit: str) -> None:
    row = start("orders")
    address = f"/admin/channels_app/channel/{row.pk}/change/"
    form = filled(browser.get(address).content.decode(), retention_seconds_0=number, retention_seconds_1=unit)

    answer = browser.post(address, form)

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


# --- on record before it is deleted ------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


def _record(channel: str = "orders") -> Expired:
    return expired.read(mongo_collection(expired.COLLECTION), channel)


def _count(redis: Any, channel: str = "orders") -> int:
    return int(redis.hget(keys.stored(0), channel) or 0)


def _expire(seconds: int = 60) -> tuple[int, bool]:
    return retention.expire("orders", 0, retention.older_than(seconds), stopping=lambda: False)


def _is_killed(target: Any, name: str, *, call: int = 1, after: bool = False) -> None:
    """While it deletes, in this call of a function: before it does anything, or when it has done it."""
    real, calls = getattr(target, name), []

    def dying(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == call and not after:
            raise Killed
        done = real(*args, **kwargs)
        if len(calls) == call:
            raise Killed
        return done

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, dying)
        with pytest.raises(Killed):
            _expire()


@pytest.mark.parametrize(
    ("target", "name", "call", "after"),
    [
        (expired, "replace", 1, False),
        (expired, "replace", 1, True),
        (expired, "replace", 2, False),
        (expired, "replace", 2, True),
        (retention, "_subtract", 1, False),
        (retention, "_subtract", 1, True),
    ],
    ids=["nothing", "on record", "deleted", "ended", "not subtracted", "all done"],
)
@pytest.mark.parametrize("state", ["whole", None], ids=["counts", "counts that are lost soon"])
def test_who_is_killed_has_said_what_may_be_missing_and_the_next_one_makes_up_for_it(
    archive: Any, relay_keys: Any, target: Any, name: str, call: int, after: bool, state: str | None
) -> None:
    _store(archive, "orders", *range(100, 110), 5)
    relay_keys.hset(keys.stored(0), mapping={"orders": 11} | ({"": state} if state else {}))
    oldest_first = [found["position"] for found in archive.find().sort("position")]

    _is_killed(target, name, call=call, after=after)

    left, said = {found["position"] for found in archive.find()}, _record()
    missing = [position for position in oldest_first if position not in left]
    assert all(position <= said.upto for position in missing)
    assert said.messages >= len(missing)

    _expire()
    assert _kept("orders") == ["5"]
    assert _record() == Expired(oldest_first[9], 10)
    if state:
        assert _count(relay_keys) == 1
    _expire()
    assert _record() == Expired(oldest_first[9], 10)


def test_a_batch_of_which_only_a_part_was_deleted_is_brought_to_its_end(
    archive: Any, relay_keys: Any
) -> None:
    _store(archive, "orders", *range(100, 110))
    relay_keys.hset(keys.stored(0), mapping={"orders": 10, "": "whole"})
    _is_killed(retention, "_delete")
    archive.delete_many({"message": {"$in": ["109", "108", "107"]}})

    _expire()

    assert (_kept("orders"), _count(relay_keys)) == ([], 0)
    assert (_record().messages, _record().going) == (10, 0)


def test_two_who_delete_at_once_count_nothing_twice(
    archive: Any, relay_keys: Any, in_thread: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "_BATCH", 7)
    _store(archive, "orders", *range(100, 300))
    relay_keys.hset(keys.stored(0), mapping={"orders": 200, "": "whole"})

    for work in [in_thread(_expire) for _ in range(3)]:
        work.result(30)

    assert (_kept("orders"), _count(relay_keys), _record().messages) == ([], 0, 200)


@pytest.mark.parametrize("when", ["before it looks", "after it has looked"])
def test_what_expires_while_it_is_counted_anew_is_subtracted_once(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    _store(archive, "orders", *range(100, 110), 5)
    stream, real = Stream(relay_keys, 0), counting.count_stored
    stream.prepare()

    def count_stored(*args: Any) -> dict[bytes, int]:
        assert _expire() == (0, False), "it waits until all is counted"
        with pytest.MonkeyPatch.context() as patch:  # A batch that was begun just before.
            patch.setattr(retention, "_is_counting", lambda _: False)
            if when == "before it looks":
                _expire()
            found = real(*args)
            _expire()
        return found

    monkeypatch.setattr(counting, "count_stored", count_stored)
    recount = Recount(stream, archive, 0)
    recount.begin()

    assert (_count(relay_keys), _kept("orders")) == (1, ["5"])
    assert relay_keys.hget(keys.stored(0), "") == b"whole"
    _store(archive, "orders", 200)
    relay_keys.hincrby(keys.stored(0), "orders", 1)
    _expire()
    assert _count(relay_keys) == 1


def test_a_batch_that_ends_after_it_was_counted_anew_is_subtracted_once(
    archive: Any, relay_keys: Any
) -> None:
    _store(archive, "orders", *range(100, 110), 5)
    stream = Stream(relay_keys, 0)
    stream.prepare()
    _is_killed(retention, "_delete")

    Recount(stream, archive, 0).begin()
    assert _count(relay_keys) == 1, "what is about to be deleted is not counted"
    _expire()

    assert (_count(relay_keys), _kept("orders")) == (1, ["5"])


def test_what_is_old_is_said_by_the_clock_of_redis(
    archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    start("orders", retention_seconds=60)
    _store(archive, "orders", 5, 100)
    seconds, microseconds = relay_keys.time()
    monkeypatch.setattr(type(relay_keys), "time", lambda _: (seconds - 50, microseconds))
    delete_all_expired()
    assert _kept("orders") == ["5", "100"], "by that clock it is 50 s old"

    monkeypatch.setattr(type(relay_keys), "time", lambda _: (seconds + 58, microseconds))
    delete_all_expired()

    assert _kept("orders") == []


def test_a_page_says_that_something_of_its_range_has_expired(api: Any, archive: Any, relay_keys: Any) -> None:
    start("orders", retention_seconds=60)
    _store(archive, "orders", 5, 10, 100, 200)
    address = "/api/v1/messages?channel=orders"
    assert api.get(address).json()["expired"] is None

    delete_all_expired()

    said = {"upto": _record().upto, "messages": 2}
    assert api.get(address).json()["expired"] == said
    newest = api.get(f"{address}&limit=1").json()
    assert newest["expired"] is None, "it ends where its neighbour begins"
    assert api.get(newest["next"]).json()["expired"] == said
    since = (datetime.now(UTC) - timedelta(seconds=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert api.get(f"{address}&since={since}").json()["expired"] is None


def test_what_is_deleted_while_a_page_is_read_is_on_record_when_it_is_answered(
    api: Any, archive: Any, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(archive, "orders", 5, 100, 200)

    def look(*args: Any) -> Any:
        _expire()
        return real(*args)

    real = watermark.ask
    monkeypatch.setattr(watermark, "ask", look)

    page = api.get("/api/v1/messages?channel=orders").json()

    assert [found["message"] for found in page["results"]] == ["5"]
    assert page["expired"]["messages"] == 2
