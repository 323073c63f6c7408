"""With little room, or none: what is said holds, what waits is passed, and no more is leased than fits."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pytest

from channels_app.models import Channel
from subscribers_app.models import Delivery, HeldBack, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.test_silent_readers import ask

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

ROOM_BYTES: Final = 1 << 20
HALF: Final = "x" * (ROOM_BYTES // 3)
"""A page has room for one of these, not for two."""


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process with the least room."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_FETCH_MEMORY_BYTES=str(ROOM_BYTES))


@pytest.fixture
def no_room(client: Client, channel: str) -> Callable[[], Any]:
    """While somebody does not read one message, which takes all of it."""
    other = Channel.objects.create(channel=f"{channel}-large", deduplicate="every", listen=False)
    reader = Subscription.objects.create(name=f"{channel}-silent", channel=other, mode="cursor").name
    client.publish(other.channel, "\1" * 1_000_000)
    client.fetch(reader)

    @contextmanager
    def held() -> Iterator[None]:
        silent = ask(client, reader)
        time.sleep(1)
        yield
        silent.close()

    return held


def named(name: str, more: str = "") -> str:
    """A message such as "a1": the first one of the customer a."""
    return json.dumps({"customer": name[0], "name": name, "more": more})


def names(fetched: Any) -> list[str]:
    return [json.loads(one["message"])["name"] for one in fetched["messages"]]


def tokens(fetched: Any) -> list[str]:
    return [one["delivery"]["token"] for one in fetched["messages"]]


def refused(client: Client, reader: str, **wanted: Any) -> None:
    answer = client.post(f"subscriptions/{reader}/fetch", wanted, 503)
    assert answer["type"].endswith("not-given")


def test_what_is_said_holds_and_then_there_is_no_room(
    client: Client, channel: str, subscribe: Subscribe, no_room: Callable[[], Any]
) -> None:
    reader, worker = subscribe("cursor"), subscribe("lease")
    client.publish(channel, *"ab")
    page, leased = client.fetch(reader, max=1), client.fetch(worker, max=1)
    with no_room():
        refused(client, reader, commit=page["position"], generation=page["generation"])
        refused(client, worker, ack=tokens(leased), wait_seconds=1)
        assert Subscription.objects.get(name=reader).position == page["position"]
        assert not Delivery.objects.filter(subscription__name=worker).exists()
        # Once more it is the same, and what is refused is refused whatever the room is.
        refused(client, reader, commit=page["position"])
        assert client.post(
            f"subscriptions/{reader}/fetch", {"commit": page["position"], "generation": 2}, 409
        )
        assert client.settle("ack", worker, tokens(leased)) == [False]
    assert client.texts(reader, wait_seconds=10) == ["b"]
    assert client.texts(worker, wait_seconds=10) == ["b"]


def test_who_asks_behind_somebody_who_waits_for_room_is_told_so(
    client: Client, channel: str, subscribe: Subscribe, no_room: Callable[[], Any]
) -> None:
    worker = subscribe("lease")
    client.publish(channel, *"ab")
    leased = client.fetch(worker, max=1)
    with no_room():
        waits = ask(client, worker, wait_seconds=8)
        time.sleep(0.5)
        refused(client, worker, ack=tokens(leased))
        assert not Delivery.objects.filter(subscription__name=worker).exists()
        waits.close()


def test_in_order_what_comes_again_and_has_no_room_is_refused(
    client: Client, channel: str, subscribe: Subscribe, no_room: Callable[[], Any]
) -> None:
    worker = subscribe("lease", order="channel")
    client.publish(channel, *"ab")
    assert client.settle("nack", worker, tokens(client.fetch(worker)), delay_seconds=0) == [True]
    with no_room():
        refused(client, worker)
        refused(client, worker, wait_seconds=1)
        assert Delivery.objects.get(subscription__name=worker).attempt == 1
    assert client.texts(worker, wait_seconds=10) == ["a"]


def test_a_pause_ends_the_wait_for_room(
    client: Client, channel: str, subscribe: Subscribe, no_room: Callable[[], Any]
) -> None:
    reader = subscribe("cursor")
    client.publish(channel, "a")
    client.fetch(reader)
    with no_room():
        waits = ask(client, reader, wait_seconds=9)
        time.sleep(0.5)
        client.post(f"subscriptions/{reader}/pause")
        waits.settimeout(4)
        answer = waits.recv(1 << 16).decode()
        assert " 200 " in answer.splitlines()[0]
        assert '"state":"paused"' in answer
        waits.close()


def test_what_waits_for_its_turn_is_passed_without_room(
    client: Client, channel: str, subscribe: Subscribe, no_room: Callable[[], Any]
) -> None:
    worker = subscribe("lease", order="field", order_field="customer")
    client.publish(channel, named("a1"))
    first = client.fetch(worker)
    assert names(first) == ["a1"]
    positions = client.publish(channel, *(named(f"a{number}", HALF) for number in range(2, 5)))
    with no_room():
        assert names(client.fetch(worker, max=1)) == []
        assert Subscription.objects.get(name=worker).position == positions[-1]
        assert HeldBack.objects.get(subscription__name=worker).messages == 3
        refused(client, worker, ack=tokens(first))
        assert not Delivery.objects.filter(subscription__name=worker).exists()
        assert HeldBack.objects.get(subscription__name=worker).messages == 3
        client.publish(channel, named("b1"))
        refused(client, worker)
        assert Subscription.objects.get(name=worker).position == positions[-1]
    # What was read ahead was let go, as somebody else had all room: so it may come apart.
    found = names(client.fetch(worker, wait_seconds=10))
    if len(found) == 1:
        found += names(client.fetch(worker, wait_seconds=10))
    assert found == ["a2", "b1"]


def test_only_what_is_handed_out_counts_for_the_room(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    worker = subscribe("lease", order="field", order_field="customer")
    client.publish(channel, named("a1"))
    first = client.fetch(worker)
    client.publish(channel, named("a2", HALF), named("a3", HALF), named("b1", HALF), named("c1"))
    assert names(client.fetch(worker)) == ["b1", "c1"]
    assert names(client.fetch(worker, ack=tokens(first))) == ["a2"]


def test_what_comes_again_or_waited_has_room_before_what_is_new(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    worker = subscribe("lease", order="field", order_field="customer")
    client.publish(channel, *(named(f"{customer}1") for customer in "abc"))
    first = client.fetch(worker)
    client.publish(channel, *(named(f"{customer}2", HALF) for customer in "abc"))
    assert names(client.fetch(worker)) == []
    client.publish(channel, named("d1", HALF))
    given = client.fetch(worker, ack=tokens(first))
    seen, rows = [names(given)], Delivery.objects.filter(subscription__name=worker)
    while given["messages"]:
        assert rows.count() == len(given["messages"])
        given = client.fetch(worker, ack=tokens(given))
        seen.append(names(given))
    assert seen == [["a2"], ["b2"], ["c2"], ["d1"], []]


@pytest.mark.parametrize("mode", ["lease", "cursor"])
def test_without_an_order_it_is_the_first_ones_that_have_room(
    client: Client, channel: str, subscribe: Subscribe, mode: str
) -> None:
    reader, seen = subscribe(mode), []
    client.publish(channel, *(f"{number}{HALF}" for number in range(4)), "4", "5")
    given = client.fetch(reader)
    while given["messages"]:
        seen.append([one["message"][0] for one in given["messages"]])
        if mode == "lease":
            assert client.settle("nack", reader, tokens(given), delay_seconds=0) == [True] * len(seen[-1])
            given = client.fetch(reader)
            assert [one["message"][0] for one in given["messages"]] == seen[-1]
            assert {one["delivery"]["attempt"] for one in given["messages"]} == {2}
            given = client.fetch(reader, ack=tokens(given))
        else:
            given = client.fetch(reader, commit=given["position"])
    assert seen == [["0"], ["1"], ["2"], ["3", "4", "5"]]
