"""What ended undelivered is deleted when the messages that it speaks of are long gone, and not before."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction

from channels_app import registration as channels
from channels_app.models import Channel
from relaycore.delivering.beginning import parse
from relaycore.delivering.leasing import State
from relaycore.storing import shortening
from relayproject import tasks
from relayproject.tasks import delete_all_expired
from subscribers_app import dead, forgetting, registration
from subscribers_app.models import Subscription, Undelivered
from tests.conftest import InThread
from tests.integration.subscriptions.conftest import at, give, subscribe

pytestmark = pytest.mark.django_db

DAY = 86_400


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the minute that a shorter time waits, and as if nothing had been looked through before."""
    monkeypatch.setattr(shortening, "WAIT", timedelta(0))
    monkeypatch.setattr(tasks._Own, "forgot_at", float("-inf"))


def record(row: Subscription, days: float, cause: str = "seek") -> None:
    """What went on record so many days ago."""
    made = Undelivered.objects.create(
        subscription=row, cause=cause, after=at(0), upto=at(1), messages=int(days * 10)
    )
    Undelivered.objects.filter(pk=made.pk).update(at=Channel.objects.now() - timedelta(days=days))


def left(row: Subscription) -> list[float]:
    """How many days ago that was which is on record still."""
    found = Undelivered.objects.filter(subscription=row).values_list("messages", flat=True)
    return sorted((days or 0) / 10 for days in found)


@pytest.mark.parametrize(
    ("retention", "kept"),
    [
        (None, [0, 29.9, 30.1, 39.9, 40.1, 400]),
        (60, [0, 29.9]),
        (40 * DAY, [0, 29.9, 30.1, 39.9]),
    ],
)
def test_it_stays_as_long_as_the_messages_and_for_a_month_at_least(
    orders: Any, retention: int | None, kept: list[float]
) -> None:
    channels.change("orders", retention_seconds=retention)
    row = subscribe()
    for days in (0, 29.9, 30.1, 39.9, 40.1, 400):
        record(row, days)
    delete_all_expired()
    assert left(row) == kept


def test_each_cause_goes_and_dead_letters_stay(orders: Any) -> None:
    channels.change("orders", retention_seconds=60)
    row = subscribe()
    give(row, [1], State.DEAD)
    for cause in Undelivered.Cause.values:
        record(row, 50, cause)
    delete_all_expired()
    assert left(row) == []
    assert dead.letters(row).count() == 1


def test_what_others_read_is_not_touched(orders: Any) -> None:
    channels.change("orders", retention_seconds=60)
    channels.start("bills", listen=False)
    other = registration.create("other", "bills", "lease", parse("earliest"))
    record(other, 50)
    delete_all_expired()
    assert left(other) == [50]


def test_a_time_that_is_made_shorter_waits(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    channels.change("orders", retention_seconds=400 * DAY)
    row = subscribe()
    record(row, 50)
    monkeypatch.setattr(shortening, "WAIT", timedelta(seconds=60))
    channels.change("orders", retention_seconds=60)
    delete_all_expired()
    assert left(row) == [50]


def test_many_are_deleted_in_batches(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "_BATCH", 3)
    monkeypatch.setattr(forgetting, "_FORGET", forgetting._FORGET.replace("LIMIT 5000", "LIMIT 3"))
    row = subscribe()
    for days in (50, 51, 52, 53, 54, 55, 56, 1):
        record(row, days)
    assert forgetting.forget("orders", 60) == 7
    assert left(row) == [1]


def test_it_is_looked_through_once_an_hour(orders: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    channels.change("orders", retention_seconds=60)
    row = subscribe()
    delete_all_expired()
    record(row, 50)
    delete_all_expired()
    assert left(row) == [50]
    monkeypatch.setattr(tasks, "_FORGET_SECONDS", 0.0)
    delete_all_expired()
    assert left(row) == []


@pytest.mark.django_db(transaction=True)
def test_nobody_waits_for_a_row_that_is_being_deleted(orders: Any, in_thread: InThread) -> None:
    row = subscribe()
    record(row, 50)
    record(row, 60)
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute("SELECT id FROM undelivered WHERE messages = 500 FOR UPDATE")
        assert in_thread(lambda: forgetting.forget("orders", 60)).result(5) == 1
    assert left(row) == [50]
