"""Order by a field: of each value one message after another, whatever becomes of the others."""

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from messages_app.writing import retention
from subscribers_app import lag, registration
from subscribers_app.models import Delivery, HeldBack, Subscription, Undelivered
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600


@pytest.fixture
def reader(client: Client, channel: str) -> Callable[..., str]:
    """Makes a subscription by HTTP, in order by "customer"."""
    names = iter(f"{channel}-{number}" for number in range(10))

    def make(**fields: Any) -> str:
        body = {"name": next(names), "channel": channel, "mode": "lease", "start": "earliest"}
        made = client.post("subscriptions", {**body, "order": {"field": "customer"}, **fields}, 201)
        assert made["order"] == {"field": "customer"}
        return str(made["name"])

    return make


def publish(client: Client, channel: str, *names: str) -> list[str]:
    """Messages such as "a1": the first one of the customer a. The positions."""
    return client.publish(channel, *(json.dumps({"customer": one[0], "name": one}) for one in names))


def names(messages: Sequence[Any]) -> list[str]:
    return [json.loads(one["message"])["name"] for one in messages]


def token(messages: Sequence[Any], name: str) -> str:
    (found,) = (one["delivery"]["token"] for one in messages if json.loads(one["message"])["name"] == name)
    return str(found)


def ack(client: Client, reader: str, messages: Sequence[Any]) -> None:
    assert all(client.settle("ack", reader, [one["delivery"]["token"] for one in messages]))


def behind(reader: str) -> int:
    return lag.of(registration.find(reader)).messages


def require_nothing_is_left() -> None:
    for what in (Delivery, HeldBack, Undelivered):
        assert not what._default_manager.exists()


def test_one_after_another_for_each_value(client: Client, channel: str, reader: Callable[..., str]) -> None:
    name = reader()
    publish(client, channel, "a1", "b1", "a2", "b2", "a3")
    client.publish(channel, "of no customer", json.dumps({"customer": None, "name": "-"}))
    first = client.fetch(name)["messages"]
    assert [one["message"][:14] for one in first[2:]] == ["of no customer", '{"customer": n']
    assert names(first[:2]) == ["a1", "b1"]
    assert client.fetch(name)["messages"] == []
    assert behind(name) == 7

    assert client.settle("ack", name, [token(first[:2], "b1")]) == [True]
    second = client.fetch(name)["messages"]
    assert names(second) == ["b2"]
    assert client.settle("ack", name, [token(first[:2], "a1")]) == [True]
    third = client.fetch(name)["messages"]
    assert names(third) == ["a2"]
    ack(client, name, [*first[2:], *second, *third])
    last = client.fetch(name)["messages"]
    assert names(last) == ["a3"]
    ack(client, name, last)
    assert behind(name) == 0
    require_nothing_is_left()


def test_a_value_that_fails_is_one_row_and_the_others_flow(
    client: Client, channel: str, reader: Callable[..., str]
) -> None:
    name = reader(max_outstanding=5)
    publish(client, channel, "a0")
    failing = client.fetch(name)["messages"]
    assert client.settle("nack", name, [token(failing, "a0")], delay_seconds=HOUR) == [True]
    for _ in range(3):
        publish(client, channel, *["a1"] * 400, "b1", "c1")
    found = client.fetch(name, max=1)["messages"]
    assert names(found) == ["b1"]
    ack(client, name, found)
    done = []
    while found := client.fetch(name)["messages"]:
        done += names(found)
        ack(client, name, found)
    assert done == ["c1", "b1", "c1", "b1", "c1"]
    assert HeldBack.objects.values_list("messages", flat=True).get() == 1200
    assert Delivery.objects.count() == 1
    assert behind(name) == 1201

    client.post(f"subscriptions/{name}/skip", {"id": failing[0]["id"]})
    for _ in range(3):
        found = client.fetch(name)["messages"]
        assert names(found) == ["a1"]
        ack(client, name, found)
    assert behind(name) == 1197


def test_what_is_dead_holds_nothing_back_and_comes_again_by_itself(
    client: Client, channel: str, reader: Callable[..., str]
) -> None:
    name = reader(max_deliveries=1)
    publish(client, channel, "a1", "a2", "a3")
    first = client.fetch(name)["messages"]
    client.settle("nack", name, [token(first, "a1")])
    second = client.fetch(name)["messages"]
    assert names(second) == ["a2"]
    ack(client, name, second)
    redriven = client.post(f"subscriptions/{name}/dead-letters/redrive", {"all": True})
    assert redriven == {"messages": 1, "expired": 0, "above_cursor": 0}
    again = client.fetch(name)["messages"]
    assert names(again) == ["a1"]
    ack(client, name, again)
    assert names(client.fetch(name)["messages"]) == ["a3"]


def test_a_seek_puts_on_record_what_waited_or_comes_by_it_again(
    client: Client, channel: str, reader: Callable[..., str]
) -> None:
    name = reader()
    positions = publish(client, channel, "a1", "a2", "a3", "b1")
    client.fetch(name)
    client.post(f"subscriptions/{name}/seek", {"to": {"position": positions[0]}})
    assert not HeldBack.objects.exists()
    found = client.fetch(name)["messages"]
    assert names(found) == ["a2", "b1"]
    ack(client, name, found)
    tried = client.post(f"subscriptions/{name}/seek", {"to": "latest", "dry_run": True})
    assert tried["messages"] == 1
    client.post(f"subscriptions/{name}/seek", {"to": "latest"})
    assert not HeldBack.objects.exists()
    assert client.fetch(name)["messages"] == []
    causes = Undelivered.objects.order_by("id").values_list("cause", "messages")
    assert list(causes) == [("seek", 1), ("seek", 1)]


def test_what_waits_was_chosen_by_the_filter_of_before(
    client: Client, channel: str, reader: Callable[..., str]
) -> None:
    name = reader(filter={"name": [{"prefix": "a"}]})
    publish(client, channel, "a1", "b1", "a2", "b2")
    found = client.fetch(name)["messages"]
    registration.change(name, filter={"name": [{"prefix": "b"}]})
    publish(client, channel, "a3", "b3")
    ack(client, name, found)
    waited = client.fetch(name)["messages"]
    assert names(waited[:1]) == ["a2"]
    found = waited if len(waited) > 1 else [*waited, *client.fetch(name, wait_seconds=5)["messages"]]
    assert names(found) == ["a2", "b3"]
    assert Subscription.objects.get(name=name).earlier_filters is not None
    ack(client, name, found)
    registration.change(name, filter=None)
    assert Subscription.objects.get(name=name).earlier_filters is None


def test_what_retention_deletes_while_it_waits_is_on_record(
    client: Client, channel: str, reader: Callable[..., str], wait_until: Any
) -> None:
    name = reader()
    positions = publish(client, channel, "a1", "a2", "b1", "a3", "a4")
    found = client.fetch(name)["messages"]
    wait_until(lambda: retention.expire(channel, 0, positions[3], lambda: True)[0])
    ack(client, name, found)
    assert names(client.fetch(name)["messages"]) == ["a3"]
    recorded = Undelivered.objects.values_list("cause", "upto", "messages").get()
    assert recorded == ("expired", positions[2], 2)


def test_many_workers_never_overtake_each_other(
    client: Client, channel: str, reader: Callable[..., str], serve: Callable[..., str], token: str
) -> None:
    name, webs = reader(max_outstanding=8), [client.url, serve(RELAY_WEB_REQUESTS_PER_MINUTE="0")]
    published = [f"{'abcde'[number * 7 % 5]}{number}" for number in range(200)]
    publish(client, channel, *published)
    done, at_work, guard = defaultdict[str, list[str]](list), set[str](), threading.Lock()

    def work(number: int) -> None:
        worker = Client(webs[number % 2], token)
        while sum(map(len, list(done.values()))) < len(published):
            given = worker.fetch(name, max=2, wait_seconds=1)["messages"]
            with guard:
                for what in names(given):
                    assert what[0] not in at_work
                    at_work.add(what[0])
                    done[what[0]].append(what)
            for one, what in zip(given, names(given), strict=True):
                time.sleep(0.01)
                with guard:
                    at_work.remove(what[0])
                assert worker.settle("ack", name, [one["delivery"]["token"]]) == [True]

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    for customer, some in done.items():
        assert some == [one for one in published if one[0] == customer]
    require_nothing_is_left()
