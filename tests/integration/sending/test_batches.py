"""Many messages in one request: the same ones again under the same id, and each is done with by itself."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from relaycore.sending.batches.ids import id_of
from subscribers_app import dead, registration
from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Came, Place, answers, decides, takes
from tests.loops import Loop
from webhooks_app import attempts
from webhooks_app.attempts import Of

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Hooks = Callable[..., Subscription]


def rows(came: Came) -> list[dict[str, Any]]:
    return [json.loads(line) for line in came.body.splitlines()]


def said(came: Came) -> list[str]:
    return [row["message"] for row in rows(came)]


def all_said(place: Place) -> list[str]:
    return [text for came in list(place.came) for text in said(came)]


def is_named(came: Came) -> bool:
    """By its messages, in their order."""
    return came.id == id_of(bytes.fromhex(row["id"]) for row in rows(came))


def texts(count: int) -> list[str]:
    return [str(number) for number in range(count)]


def test_what_waits_goes_together(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    made = hook(channel, place.url, format="ndjson", batch_messages=20)
    registration.pause(made.name)
    positions = client.publish(channel, *texts(100))
    registration.resume(made.name)
    wait_until(lambda: len(all_said(place)) == 100)
    assert sorted(all_said(place), key=int) == texts(100)
    assert len(place.came) <= 10
    assert all(len(said(one)) <= 20 and is_named(one) for one in place.came)
    assert {one.headers["content-type"] for one in place.came} == {"application/x-ndjson"}
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == positions[-1])
    assert not Delivery.objects.exists()


def test_what_failed_comes_again_as_it_was(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = answers(500)
    made = hook(channel, place.url, format="ndjson", batch_messages=10, schedule_seconds=[0, 1, 1, 1, 1])
    client.publish(channel, *texts(30))
    wait_until(lambda: Delivery.objects.filter(subscription=made).count() == 30)
    place.manner = takes
    client.publish(channel, "late")
    wait_until(lambda: not Delivery.objects.exists() and "late" in all_said(place))
    by_id: dict[str, set[bytes]] = {}
    for one in place.came:
        by_id.setdefault(one.id, set()).add(one.body)
        assert is_named(one)
    assert all(len(bodies) == 1 for bodies in by_id.values())
    in_which: dict[str, set[str]] = {}
    for one in place.came:
        for text in said(one):
            in_which.setdefault(text, set()).add(one.id)
    assert {text: len(ids) for text, ids in in_which.items()} == dict.fromkeys([*texts(30), "late"], 1)


def test_one_that_is_refused_for_its_content_takes_no_other_one_along(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = decides(lambda came, _: 422 if "13" in said(came) else 200)
    made = hook(channel, place.url, format="ndjson", batch_messages=50, schedule_seconds=[0, 1, 1])
    registration.pause(made.name)
    client.publish(channel, *texts(50))
    registration.resume(made.name)
    wait_until(lambda: Delivery.objects.filter(state="dead").exists())
    wait_until(lambda: Delivery.objects.count() == 1)
    letter = Delivery.objects.get()
    assert (letter.why, letter.attempt, letter.batch) == ("answered 422", 3, "")
    taken = [text for one in place.came if "13" not in said(one) for text in said(one)]
    assert sorted(taken, key=int) == [text for text in texts(50) if text != "13"]


def test_each_is_a_dead_letter_of_its_own_and_is_redriven_with_others(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = answers(500)
    made = hook(channel, place.url, format="ndjson", batch_messages=10, schedule_seconds=[0])
    client.publish(channel, *texts(10))
    wait_until(lambda: Delivery.objects.filter(state="dead").count() == 10)
    first = Delivery.objects.order_by("position")[0]
    dead.skip(made, bytes(first.message_id))
    place.came.clear()
    place.manner = takes
    assert dead.redrive(made, dead.Which()).messages == 9
    wait_until(lambda: not Delivery.objects.exists())
    assert sorted(all_said(place)) == texts(10)[1:]
    assert all(is_named(one) for one in place.came)
    assert len(place.came) <= 3


def test_what_was_skipped_is_sent_with_the_others_no_more(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = answers(500)
    made = hook(channel, place.url, format="ndjson", batch_messages=10, schedule_seconds=[0, 2, 2, 2])
    registration.pause(made.name)
    client.publish(channel, *texts(5))
    registration.resume(made.name)
    wait_until(lambda: Delivery.objects.filter(attempt=1).count() == 5)
    dead.skip(made, bytes(Delivery.objects.order_by("position")[2].message_id))
    place.manner = takes
    wait_until(lambda: not Delivery.objects.exists())
    assert said(place.came[-1]) == ["0", "1", "3", "4"]
    assert is_named(place.came[-1])
    assert place.came[-1].id != place.came[0].id


def test_in_order_batches_come_one_after_another(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = decides(lambda _, place: 500 if len(place.came) % 3 == 0 else 200)
    own = {"format": "ndjson", "batch_messages": 7, "schedule_seconds": [0, 0, 0, 0]}
    made = hook(channel, place.url, order="channel", **own)
    client.publish(channel, *texts(40))
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position != made.position)
    wait_until(lambda: "39" in all_said(place) and not Delivery.objects.exists())
    taken = [text for at, one in enumerate(place.came, 1) if at % 3 for text in said(one)]
    assert taken == texts(40)


def test_a_batch_of_more_than_is_looked_at_stays_whole(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    place.manner = answers(500)
    own = {"format": "ndjson", "batch_messages": 600, "schedule_seconds": [0, 1, 1, 1, 1, 1]}
    made = hook(channel, place.url, **own)
    registration.pause(made.name)
    client.publish(channel, *texts(700))
    registration.resume(made.name)
    wait_until(lambda: Delivery.objects.filter(subscription=made).count() == 700)
    place.manner = takes
    wait_until(lambda: not Delivery.objects.exists())
    taken = place.came[-len({one.id for one in place.came}) :]
    assert sorted((text for one in taken for text in said(one)), key=int) == texts(700)
    assert max(len(said(one)) for one in taken) > 256


def test_who_waits_for_more_does_not_wait_long(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    async def answer(place: Place, came: Came, writer: Any) -> bool:
        if len(place.came) == 1:
            while len(place.came) == 1:
                await asyncio.sleep(0.01)
        return await takes(place, came, writer)

    place.manner = answer
    hook(channel, place.url, format="ndjson", batch_messages=10)
    client.publish(channel, "hangs")
    wait_until(lambda: len(place.came) == 1)
    at = time.monotonic()
    client.publish(channel, "waits")
    wait_until(lambda: len(place.came) == 2)
    assert time.monotonic() - at < 5
    assert all_said(place) == ["hangs", "waits"]


def test_each_message_has_its_attempts_on_record_under_the_id_of_its_batch(
    client: Client, channel: str, hook: Hooks, sender: Loop, place: Place, wait_until: Any
) -> None:
    made = hook(channel, place.url, format="ndjson", batch_messages=10)
    registration.pause(made.name)
    client.publish(channel, *texts(5))
    registration.resume(made.name)
    wait_until(lambda: len(all_said(place)) == 5)
    wait_until(lambda: len(attempts.read(Of.SUBSCRIPTION, made.pk).attempts) == 5)
    found = attempts.read(Of.SUBSCRIPTION, made.pk).attempts
    sent = {row["id"]: one.id for one in place.came for row in rows(one)}
    assert {one.message.hex(): one.webhook_id for one in found} == sent
    (alone,) = attempts.read(Of.MESSAGE, found[0].message).attempts
    assert alone.webhook_id == found[0].webhook_id
