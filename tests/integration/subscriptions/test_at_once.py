"""Two who change the same thing at once."""

import time
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection, transaction

from channels_app import registration as channels
from relaycore.delivering.beginning import parse
from relaycore.delivering.cursor import first_generation
from relaycore.delivering.leasing import State
from relaycore.errors import ChannelHasSubscriptions, ChannelUnknown, SubscriptionExists
from subscribers_app import dead, registration, seeking
from subscribers_app.dead import Done, Which
from subscribers_app.models import Delivery, Subscription, Undelivered
from subscribers_app.pulling import ledger
from tests.conftest import InThread
from tests.integration.subscriptions.conftest import at, give, key, subscribe

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _threads_may_ask_mongodb(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's tests open its connection of another thread to no database but the one that they name."""
    monkeypatch.setattr("messages_app.searching.counting.collection", lambda: archive)


def _waits(future: "Future[Any]") -> bool:
    """Whether it is held up by a lock of PostgreSQL."""
    deadline = time.monotonic() + 10
    with connection.cursor() as sql:
        while not future.done() and time.monotonic() < deadline:
            sql.execute("SELECT pg_stat_clear_snapshot()")  # Else a transaction sees the same again.
            sql.execute(
                "SELECT count(*) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if sql.fetchone()[0]:
                return True
            time.sleep(0.01)
    return False


def test_of_two_who_make_the_same_one_has_made_it(orders: Any, in_thread: InThread) -> None:
    with transaction.atomic():
        subscribe()
        other = in_thread(subscribe)
        assert _waits(other)
    with pytest.raises(SubscriptionExists):
        other.result(10)
    assert Subscription.objects.count() == 1


def test_a_channel_that_goes_meanwhile_is_not_read(orders: Any, in_thread: InThread) -> None:
    with transaction.atomic():
        channels.stop("orders")
        other = in_thread(subscribe)
        assert _waits(other)
    with pytest.raises(ChannelUnknown):
        other.result(10)
    assert not Subscription.objects.exists()


def test_a_channel_stays_if_it_is_read_meanwhile(orders: Any, in_thread: InThread) -> None:
    with transaction.atomic():
        subscribe()
        other = in_thread(lambda: channels.stop("orders"))
        assert _waits(other)
    with pytest.raises(ChannelHasSubscriptions):
        other.result(10)


def test_a_seek_counts_from_where_the_cursor_is_by_then(orders: Any, store: Any, in_thread: InThread) -> None:
    store(1, 2, 3)
    row = subscribe()
    with transaction.atomic():
        give(row, [1, 2])
        other = in_thread(lambda: seeking.seek("billing", parse("latest")))
        assert _waits(other)
    assert other.result(10).origin == at(2)
    assert not Delivery.objects.exists()
    record = Undelivered.objects.get()
    # Both that were leased meanwhile are among it. Counted before, the number is a bound.
    assert record.after < at(1)
    assert record.upto == at(3)
    assert record.messages is not None
    assert record.messages >= 3


def test_what_somebody_has_sought_back_meanwhile_is_not_known(
    orders: Any, store: Any, in_thread: InThread
) -> None:
    store(1, 2, 3)
    row = subscribe(start={"position": at(2)})
    with transaction.atomic():
        seeking.seek("billing", parse("earliest"))
        other = in_thread(lambda: seeking.seek("billing", parse("latest")))
        assert _waits(other)
    other.result(10)
    assert Subscription.objects.get().generation == first_generation(row.pk) + 2
    assert Undelivered.objects.get().messages is None


def test_a_dead_letter_is_redriven_or_dropped_once(orders: Any, store: Any, in_thread: InThread) -> None:
    store(1)
    row = subscribe()
    give(row, [1], State.DEAD)
    with transaction.atomic():
        assert dead.redrive(row, Which()) == Done(1)
        other = in_thread(lambda: dead.drop(row, Which(ids=[key(1)])))
        assert _waits(other)
    assert other.result(10) == Done(0)
    assert Delivery.objects.get().state == "waiting"
    assert not Undelivered.objects.exists()


def test_deleting_waits_for_what_is_handed_out(orders: Any, in_thread: InThread) -> None:
    row = subscribe()
    with transaction.atomic(), connection.cursor() as sql:
        ledger.lock(sql, [row.pk])
        other = in_thread(lambda: registration.delete("billing"))
        assert _waits(other)
        give(row, [1])
    other.result(10)
    assert not Delivery.objects.exists()
