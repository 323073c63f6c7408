"""What changes the mark that senders look at, and what does not."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from relaycore.delivering.beginning import parse
from subscribers_app import registration, seeking
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint, EndpointSecret, Webhook, WebhooksMark

pytestmark = pytest.mark.django_db(transaction=True)


def mark() -> object:
    return WebhooksMark.objects.values_list("mark", flat=True).first()


def test_each_change_that_a_sender_has_to_know_of_changes_the_mark(pushed: Webhook, operator: Any) -> None:
    endpoints, hooks = Endpoint.objects.all(), Webhook.objects.all()
    marks = {mark()}
    changes: list[Callable[[], object]] = [
        lambda: endpoints.update(state=Endpoint.State.ACTIVE),
        lambda: endpoints.update(url="https://example.org/other"),
        lambda: endpoints.update(revision=2),
        lambda: Endpoint.objects.create(name="new", owner=operator, url="https://example.org/new"),
        lambda: Endpoint.objects.get(name="new").delete(),
        lambda: EndpointSecret.objects.create(endpoint=pushed.endpoint, kind="v1", value=b"y"),
        lambda: EndpointSecret.objects.filter(value=b"y").delete(),
        lambda: hooks.update(format=Webhook.Format.RAW),
        lambda: registration.pause("billing"),
        lambda: registration.resume("billing"),
        lambda: registration.change("billing", filter={"kind": ["new"]}),
        lambda: seeking.seek("billing", parse("latest")),
        lambda: registration.delete("billing"),
    ]
    for change in changes:
        before = len(marks)
        change()
        marks.add(mark())
        assert len(marks) == before + 1


def test_what_a_sender_writes_itself_changes_none(pushed: Webhook) -> None:
    before = mark()
    Endpoint.objects.update(
        breaker=Endpoint.Breaker.OPEN,
        breaker_until=1,
        breaker_failures=3,
        failing_since=1,
        failed_at=1,
        last_status=500,
        last_failure="refused",
    )
    Subscription.objects.update(position="1" * 30, fetched="1" * 30, noted_upto="1" * 30, noted_messages=3)
    assert mark() == before


def test_a_subscription_that_nobody_pushes_changes_none(orders: Any) -> None:
    before = mark()
    registration.create("audit", "orders", "cursor", parse("earliest"))
    registration.pause("audit")
    seeking.seek("audit", parse("latest"))
    registration.delete("audit")
    assert mark() == before


def test_emptied_tables_change_it(pushed: Webhook) -> None:
    before = mark()
    with connection.cursor() as sql:
        sql.execute("TRUNCATE webhooks")
    assert mark() != before
