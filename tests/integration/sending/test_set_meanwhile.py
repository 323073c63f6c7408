"""What is set while attempts are out: nothing is lost, and nothing stays in memory."""

import gc
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction
from django.db.models import F

from messages_app.writing import retention
from relaycore.sending.window import Window
from subscribers_app import registration as subscriptions
from subscribers_app.models import Delivery, Subscription, Undelivered
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Endpoints, Place, answers, slowly
from tests.integration.sending.flow import topics
from tests.loops import Loop
from webhooks_app import registration
from webhooks_app.models import Endpoint, Webhook
from webhooks_app.sending.course import Course
from webhooks_app.sending.lane import Lane

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Hook = Callable[..., Subscription]


def left() -> dict[str, int]:
    """What there is of these in memory."""
    gc.collect()
    kinds = Course, Lane, Window
    found = [type(one) for one in gc.get_objects() if type(one) in kinds]
    return {kind.__name__: found.count(kind) for kind in kinds}


def texts(start: int) -> list[str]:
    return [f'{{"number": {number}}}' for number in range(start, start + 60)]


def test_nothing_is_lost_and_nothing_stays(
    client: Client,
    writer: Any,
    endpoint: Callable[..., Endpoint],
    hook: Hook,
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
    caplog: Any,
) -> None:
    (channel,) = topics(1)
    places = [endpoints.place(slowly(0.1)) for _ in range(3)]
    first, second, third = (endpoint(place.url, max_concurrency=4) for place in places)
    made, moved = hook(channel, first), hook(channel, second)
    deleted = hook(channel, third)

    def has(place: Place, wanted: list[str]) -> bool:
        return set(wanted) <= place.texts

    def while_out(start: int) -> list[str]:
        """Something is published, and some of it is out."""
        new = texts(start)
        before = len(places[0].came)
        client.publish(channel, *new)
        wait_until(lambda: len(places[0].came) > before, what="something is out")
        return new

    with caplog.at_level(logging.INFO):
        new = while_out(0)
        subscriptions.change(made.name, filter={"number": [{"exists": True}]})
        wait_until(lambda: has(places[0], new))

        new = while_out(100)
        subscriptions.pause(made.name)
        subscriptions.resume(made.name)
        wait_until(lambda: has(places[0], new))

        new = while_out(200)
        registration.rotate(first.name, None, 0)
        other = endpoints.place(slowly(0.1))
        Endpoint.objects.filter(pk=first.pk).update(url=other.url, revision=F("revision") + 1)
        wait_until(lambda: set(new) <= places[0].texts | other.texts)

        new = while_out_of(client, channel, other, 300, wait_until)
        Webhook.objects.filter(subscription=moved).update(endpoint=first)
        Subscription.objects.filter(pk=moved.pk).update(revision=F("revision") + 1)
        wait_until(lambda: has(other, new) and not Delivery.objects.exists())
        wait_until(lambda: len(set(Subscription.objects.values_list("position", flat=True))) == 1)
        assert [one.text for one in other.came if one.text in new].count(new[-1]) == 2, "by both of them"

        new = while_out_of(client, channel, other, 400, wait_until)
        subscriptions.delete(deleted.name)
        registration.delete(third.name)
        wait_until(lambda: has(other, new))
        wait_until(lambda: left() == {"Course": 2, "Lane": 2, "Window": 2}, what="what is gone is let go")

        subscriptions.delete(made.name)
        subscriptions.delete(moved.name)
        wait_until(lambda: left() == {"Course": 0, "Lane": 2, "Window": 0}, what="what is gone is let go")
    assert not [one for one in caplog.records if one.exc_info]
    assert not [one for one in caplog.records if one.levelno >= logging.ERROR and "sending" in one.name]


def while_out_of(client: Client, channel: str, place: Place, start: int, wait_until: Any) -> list[str]:
    new, before = texts(start), len(place.came)
    client.publish(channel, *new)
    wait_until(lambda: len(place.came) > before, what="something is out")
    return new


def test_what_retention_passes_at_a_disabled_endpoint_is_on_record(
    client: Client,
    writer: Any,
    endpoint: Callable[..., Endpoint],
    hook: Hook,
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
) -> None:
    (channel,) = topics(1)
    place = endpoints.place()
    to = endpoint(place.url)
    made = hook(channel, to)
    (before,) = client.publish(channel, "before")
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == before)
    registration.disable(to.name)
    time.sleep(1.5)  # Until the sender has seen it.
    positions = client.publish(channel, *(str(number) for number in range(10)))
    wait_until(lambda: retention.expire(channel, 0, positions[6], lambda: True)[0])
    Endpoint.objects.filter(pk=to.pk).update(confirmed_at=to.created_at)
    registration.enable(to.name)
    wait_until(lambda: {"6", "7", "8", "9"} <= place.texts)
    assert place.texts == {"before", "6", "7", "8", "9"}
    wait_until(Undelivered.objects.exists)
    found = Undelivered.objects.get()
    assert (found.cause, found.after, found.upto) == ("retention", before, positions[5])
    assert found.messages is None or found.messages >= 6


def test_who_has_locked_an_endpoint_keeps_nothing_from_being_recorded(
    client: Client,
    writer: Any,
    endpoint: Callable[..., Endpoint],
    hook: Hook,
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
    caplog: Any,
) -> None:
    (channel,) = topics(1)
    to = endpoint(endpoints.place(answers(500)).url)
    hook(channel, to)
    # As `enable` and `delete` do, which lock its subscriptions next.
    with transaction.atomic():
        Endpoint.objects.select_for_update(no_key=True).get(pk=to.pk)
        client.publish(channel, "fails")
        wait_until(Delivery.objects.exists, what="that it has failed is recorded")
    assert not [one for one in caplog.records if "not recorded" in one.message]
