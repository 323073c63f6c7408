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
from tests.integration.sending.receiving import Receiver, Request
from tests.loops import Loop
from webhooks_app.models import Endpoint

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_what_is_published_arrives_once_and_in_turn(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    receiver: Receiver,
    wait_until: Any,
) -> None:
    made = hook(channel, receiver.url)
    positions = client.publish(channel, *(f"{number}" for number in range(50)))
    wait_until(lambda: len(receiver.requests) >= 50)
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == positions[-1])
    assert sorted(receiver.bodies, key=int) == [str(number) for number in range(50)]
    assert not Delivery.objects.exists()


def test_what_failed_comes_again_with_the_same_id(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    def answer(request: Any, receiver: Receiver) -> int:
        seen = [one.id for one in receiver.requests].count(request.id)
        return 500 if seen < 3 and request.body == b"stubborn" else 200

    with Receiver(answer) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0, 1, 1, 1])
        client.publish(channel, "one", "stubborn", "two")
        wait_until(lambda: receiver.bodies.count("stubborn") == 3)
        wait_until(lambda: not Delivery.objects.filter(subscription=made).exists())
        assert sorted(receiver.bodies) == ["one", "stubborn", "stubborn", "stubborn", "two"]
        assert len({one.id for one in receiver.requests}) == 3


def test_at_the_end_of_its_schedule_it_is_a_dead_letter(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    with Receiver(lambda request, _: 400 if request.body == b"bad" else 200) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0, 1])
        client.publish(channel, "bad", "good")
        wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
        assert receiver.bodies.count("bad") == 2
        dead = Delivery.objects.get(subscription=made)
        assert (dead.attempt, dead.why) == (2, "answered 400")
        assert dead.died_at is not None


def test_in_order_nothing_passes_what_fails(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    def answer(request: Request, receiver: Receiver) -> int:
        return 500 if request.body == b"1" and receiver.bodies.count("1") < 3 else 200

    with Receiver(answer) as receiver:
        hook(channel, receiver.url, order="channel", schedule_seconds=[0, 1, 1, 1])
        client.publish(channel, "0", "1", "2", "3")
        wait_until(lambda: receiver.bodies[-1:] == ["3"])
        assert receiver.bodies == ["0", "1", "1", "1", "2", "3"]


def test_one_that_hangs_holds_up_no_other(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    endpoint: Callable[..., Endpoint],
    sender: Loop,
    receiver: Receiver,
    wait_until: Any,
) -> None:
    released = threading.Event()

    def hang(request: Request, _: Receiver) -> int:
        released.wait(20)
        return 200

    with Receiver(hang) as hanging:
        slow = endpoint(hanging.url, timeout_seconds=15, max_concurrency=2)
        made = hook(channel, slow)
        hook(channel, receiver.url)
        client.publish(channel, *(str(number) for number in range(300)))
        wait_until(lambda: len(receiver.requests) == 300)
        assert len(hanging.requests) == 2
        assert (
            Subscription.objects.get(pk=made.pk).position
            < Subscription.objects.exclude(pk=made.pk).get().position
        )
        released.set()
        wait_until(lambda: len(hanging.requests) == 300)


def test_whoever_is_gone_is_disabled_and_nothing_is_lost(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    is_gone = [True]
    with Receiver(lambda *_: 410 if is_gone[0] else 200) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0, 1, 1])
        client.publish(channel, *(str(number) for number in range(20)))
        wait_until(lambda: Endpoint.objects.get().state == Endpoint.State.DISABLED)
        assert Endpoint.objects.get().reason == "it answered 410: gone"
        refused = len(receiver.requests)
        assert refused <= 8
        is_gone[0] = False
        Endpoint.objects.update(state=Endpoint.State.ACTIVE, revision=F("revision") + 1)
        wait_until(lambda: len(set(receiver.bodies)) == 20 and not Delivery.objects.exists())
        assert len(receiver.requests) == 20 + refused
        assert Subscription.objects.get(pk=made.pk).state == Subscription.State.ACTIVE


def test_what_is_paused_waits_and_what_is_sought_comes_again(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    sender: Loop,
    receiver: Receiver,
    wait_until: Any,
) -> None:
    made = hook(channel, receiver.url)
    client.publish(channel, "one")
    wait_until(lambda: receiver.bodies == ["one"])
    registration.pause(made.name)
    sent, arrived = ["one"], -1
    while len(receiver.requests) > arrived:  # Until the sender has seen it, which takes a second.
        arrived = len(receiver.requests)
        sent.append(str(len(sent)))
        client.publish(channel, sent[-1])
        time.sleep(1.5)
    assert len(receiver.requests) < len(sent)
    registration.resume(made.name)
    wait_until(lambda: sorted(receiver.bodies) == sorted(sent))
    seeking.seek(made.name, parse("earliest"))
    wait_until(lambda: sorted(receiver.bodies) == sorted(sent * 2))


def test_a_dead_letter_that_is_redriven_arrives(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    status = [500]
    with Receiver(lambda *_: status[0]) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0])
        client.publish(channel, "one")
        wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
        status[0] = 200
        client.post(f"subscriptions/{made.name}/dead-letters/redrive", {"all": True})
        wait_until(lambda: not Delivery.objects.exists())
        assert receiver.bodies == ["one", "one"]
        assert len({one.id for one in receiver.requests}) == 1


def test_so_many_begin_in_a_second(
    client: Client,
    channel: str,
    hook: Callable[..., Subscription],
    endpoint: Callable[..., Endpoint],
    sender: Loop,
    receiver: Receiver,
    wait_until: Any,
) -> None:
    hook(channel, endpoint(receiver.url, max_per_second=20))
    client.publish(channel, *(str(number) for number in range(30)))
    wait_until(lambda: len(receiver.requests) == 30)
    took = receiver.requests[-1].at - receiver.requests[0].at
    assert took >= 29 / 20 * 0.9


def test_a_dead_letter_that_is_sought_back_and_arrives_is_none_any_more(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    status = [500]
    with Receiver(lambda *_: status[0]) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0])
        client.publish(channel, "one")
        wait_until(lambda: Delivery.objects.filter(subscription=made, state="dead").exists())
        status[0] = 200
        seeking.seek(made.name, parse("earliest"))
        wait_until(lambda: receiver.bodies == ["one", "one"])
        wait_until(lambda: not Delivery.objects.exists(), what="the dead letter goes")


def test_what_is_tried_done_and_refused_is_counted(
    client: Client, channel: str, hook: Callable[..., Subscription], sender: Loop, wait_until: Any
) -> None:
    with Receiver(lambda request, _: 500 if request.body == b"bad" else 200) as receiver:
        made = hook(channel, receiver.url, schedule_seconds=[0])
        client.publish(channel, "bad", "good", "better")
        wait_until(lambda: len(receiver.requests) == 3)
        wait_until(SubscriptionCounts.objects.filter(subscription=made, handed_out=3).exists)
    counts = SubscriptionCounts.objects.get(subscription=made)
    assert (counts.done, counts.nacked) == (2, 1)
