"""Fetching, committing and settling, against a web process."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from subscribers_app.models import Delivery, Subscription, SubscriptionCounts
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]


def tokens(fetched: Any) -> list[str]:
    return [one["delivery"]["token"] for one in fetched["messages"]]


def test_what_is_not_committed_is_given_again(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("cursor")
    client.publish(channel, "a", "b", "c")
    first = client.fetch(reader)
    assert [one["message"] for one in first["messages"]] == ["a", "b", "c"]
    assert client.fetch(reader) == first

    client.post(f"subscriptions/{reader}/commit", {"position": first["messages"][0]["position"]})
    assert client.texts(reader) == ["b", "c"]
    client.post(f"subscriptions/{reader}/commit", {"position": first["position"], "generation": 1})
    assert client.texts(reader) == []
    client.publish(channel, "d")
    assert client.texts(reader, wait_seconds=5) == ["d"]


def test_a_commit_goes_neither_back_nor_past_what_was_fetched(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("cursor")
    positions = client.publish(channel, "a", "b", "c")
    client.fetch(reader, max=2)
    for position, status in [
        (positions[2], 409),
        (positions[1], 200),
        (positions[1], 200),
        (positions[0], 409),
    ]:
        answer = client.post(f"subscriptions/{reader}/commit", {"position": position}, status)
        assert answer["position"] == (
            positions[1] if position != positions[2] else "0000000000000-0000000000-00000"
        )


def test_many_workers_share_one_subscription(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("lease")
    client.publish(channel, *map(str, range(500)))

    def work(_: int) -> list[str]:
        found = []
        while (fetched := client.fetch(reader, max=7))["messages"]:
            found += [one["message"] for one in fetched["messages"]]
            assert all(client.settle("ack", reader, tokens(fetched)))
        return found

    with ThreadPoolExecutor(8) as pool:
        found = [text for texts in pool.map(work, range(8)) for text in texts]
    assert sorted(found, key=int) == list(map(str, range(500)))
    assert not Delivery.objects.exists()


def test_a_lease_that_runs_out_goes_to_somebody_else(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1)
    client.publish(channel, "a")
    first = client.fetch(reader)
    assert client.texts(reader) == []
    began = time.monotonic()
    second = client.fetch(reader, wait_seconds=10)
    # The deadline, and the second that it waits after a failure.
    assert 1.5 < time.monotonic() - began < 6
    assert [one["message"] for one in second["messages"]] == ["a"]
    assert second["messages"][0]["delivery"]["attempt"] == 2
    assert client.settle("ack", reader, tokens(first)) == [False]
    assert client.settle("ack", reader, tokens(second) * 2) == [True, False]


def test_what_is_given_back_comes_when_it_was_said(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", max_deliveries=2)
    client.publish(channel, "a")
    assert client.settle("nack", reader, tokens(client.fetch(reader)), delay_seconds=0) == [True]
    again = client.fetch(reader, wait_seconds=5)
    assert again["messages"][0]["delivery"]["attempt"] == 2
    assert client.settle("nack", reader, tokens(again), delay_seconds=0) == [True]
    assert client.texts(reader) == []
    assert Delivery.objects.get().state == "dead"


def test_whoever_extends_keeps_it(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1)
    client.publish(channel, "a")
    first = client.fetch(reader)
    assert client.settle("extend", reader, tokens(first), seconds=60) == [True]
    assert client.texts(reader, wait_seconds=3) == []
    assert client.settle("ack", reader, tokens(first)) == [True]


def test_in_order_one_after_another(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("lease", order="channel")
    client.publish(channel, "a", "b")
    first = client.fetch(reader, max=10)
    assert [one["message"] for one in first["messages"]] == ["a"]
    assert client.texts(reader) == []
    client.settle("ack", reader, tokens(first))
    assert client.texts(reader, wait_seconds=2) == ["b"]


def test_a_filter_and_a_delay(client: Client, channel: str, subscribe: Subscribe) -> None:
    wanted = subscribe("cursor", filter={"kind": ["new"]})
    late = subscribe("cursor", delay_seconds=2)
    positions = client.publish(channel, '{"kind": "new"}', '{"kind": "old"}', "no JSON")
    fetched = client.fetch(wanted)
    assert [one["message"] for one in fetched["messages"]] == ['{"kind": "new"}']
    assert fetched["position"] == positions[2]
    assert client.texts(late) == []
    assert len(client.texts(late, wait_seconds=10)) == 3


def test_whoever_waits_is_given_what_comes(client: Client, channel: str, subscribe: Subscribe) -> None:
    readers = [subscribe("cursor") for _ in range(20)]
    with ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(client.texts, reader, wait_seconds=15) for reader in readers]
        time.sleep(1)
        began = time.monotonic()
        client.publish(channel, "a")
        assert all(one.result() == ["a"] for one in waiting)
    assert time.monotonic() - began < 5


def test_a_seek_is_noticed_by_whoever_waits(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("cursor")
    client.publish(channel, "a")
    first = client.fetch(reader)
    client.post(f"subscriptions/{reader}/commit", {"position": first["position"]})
    found: list[list[str]] = []
    waiting = threading.Thread(target=lambda: found.append(client.texts(reader, wait_seconds=15)))
    waiting.start()
    time.sleep(1)
    row = Subscription.objects.get(name=reader)
    row.generation, row.position, row.fetched = 2, "0" * 13 + "-" + "0" * 10 + "-00000", ""
    Subscription.objects.filter(name=reader).update(generation=2, position=row.position, fetched=row.position)
    waiting.join(5)
    assert found == [["a"]]
    answer = client.post(
        f"subscriptions/{reader}/commit", {"position": first["position"], "generation": 1}, 409
    )
    assert answer["type"].endswith("cursor-moved")


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_whoever_waits_is_told_that_it_is_paused_and_whoever_comes_later_that_it_goes_on(
    client: Client, channel: str, subscribe: Subscribe, mode: str
) -> None:
    reader = subscribe(mode)
    assert client.texts(reader) == []
    with ThreadPoolExecutor(3) as pool:
        # One of them waits for messages, the others for him.
        waiting = [pool.submit(client.fetch, reader, wait_seconds=20) for _ in range(3)]
        time.sleep(1)
        began = time.monotonic()
        client.post(f"subscriptions/{reader}/pause", {"reason": "a test"})
        answers = [one.result() for one in waiting]
        assert time.monotonic() - began < 5
        assert [(one["state"], one["messages"]) for one in answers] == [("paused", [])] * 3

        client.publish(channel, "a")
        assert client.fetch(reader)["state"] == "paused"
        later = pool.submit(client.texts, reader, wait_seconds=20)
        time.sleep(2)
        assert not later.done()
        client.post(f"subscriptions/{reader}/resume")
        assert later.result() == ["a"]


def test_what_is_not_so_is_said(client: Client, channel: str, subscribe: Subscribe) -> None:
    leased, read = subscribe("lease"), subscribe("cursor")
    assert client.post("subscriptions/nobody/fetch", {}, 404)
    assert "mode lease" in client.post(f"subscriptions/{leased}/commit", {"position": "x"}, 409)["detail"]
    assert "mode cursor" in client.post(f"subscriptions/{read}/ack", {"tokens": ["x"]}, 409)["detail"]
    for wrong in ({"max": 0}, {"max": True}, {"wait_seconds": 21}, {"wait": 1}, {"max_bytes": "1"}):
        client.post(f"subscriptions/{read}/fetch", wrong, 400)
    assert client.settle("ack", leased, ["x", "1.1." + "0" * 13 + "-" + "0" * 10 + "-00000"]) == [
        False,
        False,
    ]


def test_what_goes_out_and_what_is_done_is_counted(
    client: Client, channel: str, subscribe: Subscribe, wait_until: Callable[..., None]
) -> None:
    worker, reader = subscribe("lease"), subscribe("cursor")
    client.publish(channel, "a", "b", "c")
    fetched = client.fetch(worker)
    client.settle("ack", worker, tokens(fetched)[:2])
    client.settle("nack", worker, [*tokens(fetched)[2:], "x"], delay_seconds=60)
    client.fetch(reader)
    page = client.fetch(reader)
    client.post(f"subscriptions/{reader}/commit", {"position": page["messages"][1]["position"]})

    def counts(name: str) -> tuple[int, int, int, int]:
        found = SubscriptionCounts.objects.filter(subscription__name=name)
        return found.values_list("handed_out", "done", "nacked", "uncounted").first() or (0, 0, 0, 0)

    wait_until(lambda: counts(worker) == (3, 2, 1, 0) and counts(reader) == (6, 2, 0, 0), seconds=12)
