"""What is stored reaches the endpoint, signed, and what the endpoint does not take comes again."""

from collections.abc import Callable
from typing import Any

import pytest

from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.receiving import Receiver
from tests.loops import Loop

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
