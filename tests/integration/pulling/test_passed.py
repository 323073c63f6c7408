"""Retention deletes what nobody was given yet, or what somebody still has: on record, once."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from messages_app.writing import retention
from relaycore.position import next_position
from subscribers_app.models import Delivery, Undelivered
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]


def expire(channel: str, below: str, wait_until: Any) -> None:
    """Delete what lies below this position; what is stored may be being counted."""
    wait_until(lambda: retention.expire(channel, 0, below, lambda: True)[0])


def on_record(cause: str) -> list[tuple[str, str, int | None]]:
    return list(
        Undelivered.objects.filter(cause=cause).order_by("id").values_list("after", "upto", "messages")
    )


@pytest.mark.parametrize("mode", ["cursor", "lease"])
@pytest.mark.parametrize("has_read", [False, True])
def test_what_was_deleted_before_it_was_handed_out_is_said_once(
    client: Client, channel: str, subscribe: Subscribe, wait_until: Any, mode: str, has_read: bool
) -> None:
    """`has_read`: the web process has read ahead before."""
    reader = subscribe(mode)
    if has_read:
        assert client.texts(reader) == []
    positions = client.publish(channel, *map(str, range(10)))
    expire(channel, positions[5], wait_until)

    fetched = client.fetch(reader, wait_seconds=5)
    said = fetched["skipped"]
    if not fetched["messages"]:  # What is left had not been read yet.
        fetched = client.fetch(reader, wait_seconds=5)
    start = "0000000000000-0000000000-00000"
    skipped = {"from": start, "to": positions[4], "count": 5}
    assert said == skipped
    assert [one["message"] for one in fetched["messages"]][-5:] == list("56789")
    if not has_read:
        assert len(fetched["messages"]) == 5
    assert client.fetch(reader)["skipped"] is None
    assert on_record("retention") == [(start, positions[4], 5)]

    if mode == "cursor":
        client.post(f"subscriptions/{reader}/commit", {"position": fetched["position"]})
    expire(channel, positions[7], wait_until)
    # That was done, or is on its way.
    assert client.fetch(reader)["skipped"] is None
    assert len(on_record("retention")) == 1


@pytest.mark.parametrize("mode", ["cursor", "lease"])
@pytest.mark.parametrize("seconds", [0, 10])
def test_whoever_asks_is_told_whether_he_waits_or_not(
    client: Client, channel: str, subscribe: Subscribe, wait_until: Any, mode: str, seconds: int
) -> None:
    """All of it was deleted: no message comes that it could be told with."""
    reader = subscribe(mode)
    positions = client.publish(channel, "a", "b")
    expire(channel, next_position(positions[1][:24]), wait_until)
    began = time.monotonic()
    fetched = client.fetch(reader, wait_seconds=seconds)
    assert time.monotonic() - began < 5
    assert (fetched["messages"], fetched["skipped"]["to"]) == ([], positions[1])
    assert client.fetch(reader)["skipped"] is None


@pytest.mark.parametrize("order", ["none", "channel"])
def test_what_was_deleted_while_somebody_had_it_is_expired(
    client: Client, channel: str, subscribe: Subscribe, wait_until: Any, order: str
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1, order=order)
    positions = client.publish(channel, "a", "b", "c")
    held = client.fetch(reader, max=2)["messages"]
    assert [one["message"] for one in held] == ["a", "b"][: len(held)]
    expire(channel, positions[1], wait_until)

    found: list[str] = []

    def has_come() -> bool:
        found.extend(client.texts(reader, max=10, wait_seconds=1))
        return "b" in found

    wait_until(has_come, seconds=15)
    assert "a" not in found
    assert [(upto, count) for _, upto, count in on_record("expired")] == [(positions[0], 1)]
    assert positions[0] not in Delivery.objects.values_list("position", flat=True)
    assert on_record("retention") == []
