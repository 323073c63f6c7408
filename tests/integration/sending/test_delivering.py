"""What is stored reaches the endpoint, signed, and what the endpoint does not take comes again."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db.models import F

from relaycore.delivering.beginning import parse
from subscribers_app import registration, seeking
from subscribers_app.models import Delivery, Subscription, SubscriptionCounts
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Came, Endpoints, Place, answers, decides, takes, waits
from tests.loops import Loop
from webhooks_app.models import Endpoint

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_what_is_published_arrives_once_and_in_turn(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    made = hook(channel, place.url)
    positions = client.publish(channel, *(f"{number}" for number in range(50)))
    wait_until(lambda: len(place.came) >= 50)
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == positions[-1])
    assert sorted(place.said, key=int) == [str(number) for number in range(50)]
    assert not Delivery.objects.exists()


def test_what_failed_comes_again_with_the_same_id(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    def answer(came: Came, place: Place) -> int:
        return 500 if came.text == "stubborn" and place.said.count("stubborn") < 3 else 200

    place.manner = decides(answer)
    made = hook(channel, place.url, schedule_seconds=[0, 1, 1, 1])
    client.publish(channel, "one", "stubborn", "two")
    wait_until(lambda: place.said.count("stubborn") == 3)
    wait_until(lambda: not Delivery.objects.filter(subscription=made).exists())
    assert sorted(place.said) == ["one", "stubborn", "stubborn", "stubborn", "two"]
    assert len({one.id for one in place.came}) == 3


def test_at_the_end_of_its_schedule_it_is_a_dead_letter(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    place.manner = decides(lambda came, _: 400 if came.text == "bad" else 200)
    made = hook(channel, place.url, schedule_seconds=[0, 1])
    client.publish(channel, "bad", "good")
    wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
    assert place.said.count("bad") == 2
    dead = Delivery.objects.get(subscription=made)
    assert (dead.attempt, dead.why) == (2, "answered 400")
    assert dead.died_at is not None


def test_in_order_nothing_passes_what_fails(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    def answer(came: Came, place: Place) -> int:
        return 500 if came.text == "1" and place.said.count("1") < 3 else 200

    place.manner = decides(answer)
    hook(channel, place.url, order="channel", schedule_seconds=[0, 1, 1, 1])
    client.publish(channel, "0", "1", "2", "3")
    wait_until(lambda: place.said[-1:] == ["3"])
    assert place.said == ["0", "1", "1", "1", "2", "3"]


def test_one_that_hangs_holds_up_no_other(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    endpoint: Callable[..., Endpoint],
    sender: Loop,
    endpoints: Endpoints,
    place: Place,
    wait_until: Any,
) -> None:
    released = threading.Event()
    hanging = endpoints.place(waits(released))
    slow = endpoint(hanging.url, timeout_seconds=15, max_concurrency=2)
    made = hook(channel, slow)
    hook(channel, place.url)
    client.publish(channel, *(str(number) for number in range(300)))
    wait_until(lambda: len(place.came) == 300)
    assert len(hanging.came) == 2
    other = Subscription.objects.exclude(pk=made.pk)
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position < other.get().position)
    released.set()
    wait_until(lambda: len(hanging.came) == 300)


def test_whoever_is_gone_is_disabled_and_nothing_is_lost(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    place.manner = answers(410)
    made = hook(channel, place.url, schedule_seconds=[0, 1, 1])
    client.publish(channel, *(str(number) for number in range(20)))
    wait_until(lambda: Endpoint.objects.get().state == Endpoint.State.DISABLED)
    assert Endpoint.objects.get().reason == "it answered 410: gone"
    refused = len(place.came)
    assert refused <= 8
    place.manner = takes
    Endpoint.objects.update(state=Endpoint.State.ACTIVE, revision=F("revision") + 1)
    wait_until(lambda: len(set(place.said)) == 20 and not Delivery.objects.exists())
    assert len(place.came) == 20 + refused
    assert Subscription.objects.get(pk=made.pk).state == Subscription.State.ACTIVE


def test_what_is_paused_waits_and_what_is_sought_comes_again(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    made = hook(channel, place.url)
    client.publish(channel, "one")
    wait_until(lambda: place.said == ["one"])
    registration.pause(made.name)
    sent, arrived = ["one"], -1
    while len(place.came) > arrived:  # Until the sender has seen it, which takes a second.
        arrived = len(place.came)
        sent.append(str(len(sent)))
        client.publish(channel, sent[-1])
        time.sleep(1.5)
    assert len(place.came) < len(sent)
    registration.resume(made.name)
    wait_until(lambda: sorted(place.said) == sorted(sent))
    seeking.seek(made.name, parse("earliest"))
    wait_until(lambda: sorted(place.said) == sorted(sent * 2))


def test_a_dead_letter_that_is_redriven_arrives(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    place.manner = answers(500)
    made = hook(channel, place.url, schedule_seconds=[0])
    client.publish(channel, "one")
    wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
    place.manner = takes
    client.post(f"subscriptions/{made.name}/dead-letters/redrive", {"all": True})
    wait_until(lambda: not Delivery.objects.exists())
    assert place.said == ["one", "one"]
    assert len({one.id for one in place.came}) == 1


def test_so_many_begin_in_a_second(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    endpoint: Callable[..., Endpoint],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    hook(channel, endpoint(place.url, max_per_second=20))
    client.publish(channel, *(str(number) for number in range(30)))
    wait_until(lambda: len(place.came) == 30)
    took = place.came[-1].at - place.came[0].at
    assert took >= 29 / 20 * 0.9


def test_a_dead_letter_that_is_sought_back_and_arrives_is_none_any_more(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    place.manner = answers(500)
    made = hook(channel, place.url, schedule_seconds=[0])
    client.publish(channel, "one")
    wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
    place.manner = takes
    seeking.seek(made.name, parse("earliest"))
    wait_until(lambda: place.said == ["one", "one"])
    wait_until(lambda: not Delivery.objects.exists(), what="the dead letter goes")


def test_what_is_tried_done_and_refused_is_counted(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    wait_until: Any,
) -> None:
    place.manner = decides(lambda came, _: 500 if came.text == "bad" else 200)
    made = hook(channel, place.url, schedule_seconds=[0])
    client.publish(channel, "bad", "good", "better")
    wait_until(lambda: len(place.came) == 3)
    wait_until(SubscriptionCounts.objects.filter(subscription=made, handed_out=3).exists)
    counts = SubscriptionCounts.objects.get(subscription=made)
    assert (counts.done, counts.nacked) == (2, 1)
