"""Adding and removing channels: the row, and the word to the listeners."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction

from channels_app import registration
from channels_app.models import Channel
from leases_app import deployment
from relaybase.postgres.clock import ClockTimestamp
from relaycore.capturing import notices
from relaycore.errors import BadChannelName, ChannelExists, ChannelUnknown
from relaycore.policy import EVERY, Policy

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def hints(relay_keys: Any) -> Iterator[Any]:
    """What a listener of partition 0 is told."""
    pubsub = relay_keys.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe(deployment.control_channel(0))
    pubsub.get_message(timeout=5)
    yield lambda: _heard(pubsub)
    pubsub.close()


def _heard(pubsub: Any) -> list[str]:
    heard = []
    while (message := pubsub.get_message(timeout=0.2)) is not None:
        notice = notices.parse(message["data"], deployment.seal_key(0))
        assert isinstance(notice, notices.Look)
        heard.append(notice.name)
    return heard


def test_each_change_is_told_to_the_listeners(hints: Any) -> None:
    registration.start("naïve/1")
    assert hints() == ["naïve/1"]
    registration.change("naïve/1", Policy("field", "id"))
    assert hints() == ["naïve/1"]
    registration.stop("naïve/1")
    assert hints() == ["naïve/1"]


def test_listeners_are_told_once_the_row_is_committed(hints: Any) -> None:
    with transaction.atomic():
        registration.start("orders")
        assert hints() == []
    assert hints() == ["orders"]


def test_nothing_is_told_of_what_was_rolled_back(hints: Any) -> None:
    with transaction.atomic():
        registration.start("orders")
        transaction.set_rollback(True)
    assert hints() == []
    assert not Channel.objects.exists()


def test_nothing_is_told_of_what_failed(hints: Any) -> None:
    registration.start("orders")
    hints()
    with pytest.raises(ChannelExists):
        registration.start("orders", EVERY)
    with pytest.raises(ChannelUnknown):
        registration.stop("bills")
    with pytest.raises(ChannelUnknown):
        registration.change("bills", EVERY)
    with pytest.raises(BadChannelName):
        registration.start("orchestrator_channel")
    assert hints() == []


def test_a_channel_that_exists_leaves_the_transaction_around_it_usable() -> None:
    registration.start("orders")
    with transaction.atomic():
        with pytest.raises(ChannelExists):
            registration.start("orders")
        registration.start("bills")
    assert Channel.objects.count() == 2


def test_of_many_who_start_a_channel_at_once_one_does() -> None:
    outcomes: list[str] = []
    together = threading.Barrier(8)

    def contend() -> None:
        together.wait()
        try:
            registration.start("orders")
            outcomes.append("started")
        except ChannelExists:
            outcomes.append("exists")
        finally:
            connection.close()

    contenders = [threading.Thread(target=contend) for _ in range(8)]
    for contender in contenders:
        contender.start()
    for contender in contenders:
        contender.join()
    assert sorted(outcomes) == ["exists"] * 7 + ["started"]
    assert Channel.objects.count() == 1


def test_many_channels_are_stopped_together(hints: Any) -> None:
    for name in ("a", "b", "c"):
        registration.start(name)
    hints()

    assert registration.stop_all(Channel.objects.exclude(channel="b")) == 2
    assert sorted(hints()) == ["a", "c"]
    assert Channel.objects.get().channel == "b"


def test_without_redis_the_table_changes_all_the_same(redis_away: None, caplog: Any) -> None:
    registration.start("orders")
    assert "listeners will look at the channel table later" in caplog.text
    registration.stop("orders")
    assert registration.wake([(0, "orders")]) is False


def test_times_are_the_databases_whatever_this_hosts_clock_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: datetime(2999, 1, 1, tzinfo=UTC))
    row = registration.start("orders")
    first = row.updated_at
    row.save()

    assert isinstance(row.created_at, datetime)
    assert row.created_at <= first < row.updated_at
    assert Channel.objects.filter(created_at__lte=ClockTimestamp(), updated_at__lte=ClockTimestamp()).exists()
