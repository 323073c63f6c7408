"""What is said with a fetch holds first, as if by a call of its own."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from subscribers_app.models import Delivery, Subscription, SubscriptionCounts
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

NOBODYS = "1.1.0000000000000-0000000000-00000"


def tokens(fetched: Any) -> list[str]:
    return [one["delivery"]["token"] for one in fetched["messages"]]


def position_of(name: str) -> str:
    return Subscription.objects.values_list("position", flat=True).get(name=name)


def test_a_fetch_commits_what_was_fetched_before(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("cursor")
    client.publish(channel, *"abc")
    texts, said = [], {}
    for _ in range(3):
        page = client.fetch(reader, max=1, **said)
        texts += [one["message"] for one in page["messages"]]
        said = {"commit": page["position"], "generation": page["generation"]}
    assert texts == ["a", "b", "c"]
    assert client.fetch(reader, **said)["messages"] == []
    assert position_of(reader) == said["commit"]
    assert client.fetch(reader, **said)["messages"] == [], "the same once more changes nothing"
    client.publish(channel, "d")
    assert client.texts(reader, wait_seconds=5, **said) == ["d"]


def test_it_commits_a_part_of_what_was_fetched(client: Client, channel: str, subscribe: Subscribe) -> None:
    reader = subscribe("cursor")
    positions = client.publish(channel, *"abcd")
    client.fetch(reader, max=3)
    assert client.texts(reader, max=2, commit=positions[0]) == ["b", "c"]
    assert position_of(reader) == positions[0]


def test_what_commit_would_refuse_is_refused_and_nothing_is_fetched(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("cursor")
    positions = client.publish(channel, *"abcd")
    client.fetch(reader, max=2)
    before = Subscription.objects.values("position", "fetched", "generation").get(name=reader)
    path = f"subscriptions/{reader}/fetch"
    for said in [
        {"commit": positions[2]},  # Past what was fetched, also where this fetch brings it.
        {"commit": positions[1], "generation": 2},
    ]:
        answer = client.post(path, said, 409)
        assert answer["type"].endswith("cursor-moved")
        assert (answer["position"], answer["generation"]) == (before["position"], 1)
        assert Subscription.objects.values("position", "fetched", "generation").get(name=reader) == before
    assert client.texts(reader, commit=positions[1]) == ["c", "d"]
    assert client.post(path, {"commit": positions[0]}, 409)["position"] == positions[1]
    assert client.texts(reader) == ["c", "d"]


def test_after_a_seek_nothing_from_before_is_committed_by_a_fetch(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("cursor")
    client.publish(channel, *"abc")
    page = client.fetch(reader)
    client.post(f"subscriptions/{reader}/seek", {"to": "earliest"})
    said = {"commit": page["position"], "generation": page["generation"]}
    assert client.post(f"subscriptions/{reader}/fetch", said, 409)["generation"] == 2
    assert client.texts(reader) == ["a", "b", "c"]


def test_what_is_said_holds_while_the_fetch_waits(
    client: Client, channel: str, subscribe: Subscribe, wait_until: Any
) -> None:
    """The second one waits behind the first, and what it says does not."""
    reader, worker = subscribe("cursor"), subscribe("lease")
    client.publish(channel, *"ab")
    page, leased = client.fetch(reader), client.fetch(worker)
    client.fetch(reader, commit=page["position"])
    waiting = [
        threading.Thread(target=client.fetch, args=[reader], kwargs={"wait_seconds": 4}),
        threading.Thread(target=client.fetch, args=[worker], kwargs={"wait_seconds": 4}),
    ]
    for thread in waiting:
        thread.start()
    time.sleep(0.5)
    saying = threading.Thread(
        target=client.fetch, args=[worker], kwargs={"wait_seconds": 4, "ack": tokens(leased)}
    )
    saying.start()
    wait_until(lambda: not Delivery.objects.filter(subscription__name=worker).exists(), seconds=2)
    assert saying.is_alive()
    for thread in (*waiting, saying):
        thread.join()


def test_a_fetch_acks_and_gives_back_what_was_leased_before(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease")
    client.publish(channel, *"abcd")
    first = tokens(client.fetch(reader, max=3))
    second = client.fetch(reader, ack=[first[0], "x"], nack=[first[1], first[0]])
    assert [(one["token"], one["ok"]) for one in second["settled"]] == [
        (first[0], True),
        ("x", False),
        (first[1], True),
        (first[0], False),
    ]
    assert [one["message"] for one in second["messages"]] == ["d"]
    assert client.texts(reader, wait_seconds=5) == ["b"]
    assert "settled" not in client.fetch(reader)
    left = Delivery.objects.filter(subscription__name=reader).order_by("position")
    assert [(one.state, one.attempt) for one in left] == [("leased", 2), ("leased", 1), ("leased", 1)]


def test_what_is_acked_makes_room_for_what_is_fetched(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    reader = subscribe("lease", max_outstanding=1)
    client.publish(channel, *"abc")
    page, texts = client.fetch(reader), []
    while page["messages"]:
        texts += [one["message"] for one in page["messages"]]
        page = client.fetch(reader, ack=tokens(page))
        assert all(one["ok"] for one in page["settled"])
    assert texts == ["a", "b", "c"]


def test_it_is_counted_once(client: Client, channel: str, subscribe: Subscribe, wait_until: Any) -> None:
    reader, worker = subscribe("cursor"), subscribe("lease")
    client.publish(channel, *"abc")
    page = client.fetch(reader)
    client.fetch(reader, commit=page["position"])
    client.fetch(worker, ack=tokens(client.fetch(worker)))
    for name in (reader, worker):
        found = SubscriptionCounts.objects.filter(subscription__name=name)
        wait_until(found.exists, seconds=10)
        assert list(found.values_list("handed_out", "done", "uncounted")) == [(3, 3, 0)]


@pytest.mark.parametrize(
    ("mode", "said", "status", "what"),
    [
        ("cursor", {"ack": [NOBODYS]}, 409, "wrong-mode"),
        ("lease", {"commit": NOBODYS[4:]}, 409, "wrong-mode"),
        ("cursor", {"commit": "x"}, 400, "position"),
        ("cursor", {"generation": 1}, 400, "generation goes with commit"),
        ("cursor", {"commit": NOBODYS[4:], "generation": 0}, 400, "generation"),
        ("lease", {"ack": []}, 400, "ack must be"),
        ("lease", {"nack": "x"}, 400, "nack must be"),
        ("lease", {"ack": [1]}, 400, "ack must be"),
    ],
)
def test_what_cannot_be_said_is_refused(
    client: Client, subscribe: Subscribe, mode: str, said: Any, status: int, what: str
) -> None:
    assert what in str(client.post(f"subscriptions/{subscribe(mode)}/fetch", said, status))
