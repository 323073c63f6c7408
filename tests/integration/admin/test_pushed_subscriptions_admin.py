"""Subscriptions that are sent to an endpoint, in the admin."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse
from pymongo.errors import AutoReconnect

from channels_app.models import Channel
from relaybase.connections import mongo_collection
from relaycore.delivering.leasing import State
from relaycore.sending.answers import Failure
from subscribers_app.models import Delivery, Subscription
from tests.integration.admin.filled import filled
from tests.integration.subscriptions.conftest import give, store
from tests.integration.webhooks.conftest import orders, pushed
from webhooks_app import attempts
from webhooks_app.attempts import Attempted
from webhooks_app.models import Endpoint, Webhook

__all__ = ["orders", "pushed", "store"]

pytestmark = pytest.mark.django_db

ADD = reverse("admin:subscribers_app_subscription_add")


def _page(row: Subscription) -> str:
    return reverse("admin:subscribers_app_subscription_change", args=[row.pk])


@pytest.fixture
def log(pushed: Webhook, archive: Any) -> Iterator[list[Attempted]]:
    """Two attempts at one message; the second was answered."""
    collection = mongo_collection(attempts.COLLECTION)
    collection.delete_many({})
    first = Attempted(
        at=Channel.objects.now(),
        subscription=pushed.subscription_id,
        subscription_name="billing",
        endpoint=pushed.endpoint_id,
        endpoint_name="billing",
        message=b"m" * 12,
        position="1795262400000-0000000000-00000",
        attempt=1,
        webhook_id=(b"m" * 12).hex(),
        status=None,
        failure=Failure.TIMEOUT,
        seconds=15.0,
    )
    second = first._replace(
        at=first.at + timedelta(seconds=5),
        attempt=2,
        status=200,
        failure=None,
        seconds=0.25,
        answer=b"<script>x</script>",
    )
    attempts.record([first])
    attempts.record([second])
    yield [first, second]
    collection.delete_many({})


def _said(browser: Client, **changed: Any) -> dict[str, Any]:
    return filled(browser.get(ADD).content.decode(), name="audit", mode="lease", **changed)


def test_one_is_made_for_an_endpoint_in_a_format(browser: Client, pushed: Webhook) -> None:
    said = _said(browser, channel=pushed.subscription.channel_id, endpoint=pushed.endpoint_id)
    browser.post(ADD, {**said, "format": "raw"})
    row = Subscription.objects.get(name="audit")
    assert (row.kind, row.webhook.endpoint, row.webhook.format) == ("webhook", pushed.endpoint, "raw")
    html = browser.get(_page(row)).content.decode()
    assert "Nothing is sent: the endpoint is pending" in html
    assert "nothing was sent yet" in html
    assert 'name="max_deliveries"' not in html
    browser.post(_page(row), filled(html, format="standard", delay_seconds="3"))
    row.refresh_from_db()
    row.webhook.refresh_from_db()
    assert (row.delay_seconds, row.webhook.format) == (3, "standard")


def test_without_an_endpoint_it_is_pulled(browser: Client, pushed: Webhook) -> None:
    browser.post(ADD, _said(browser, channel=pushed.subscription.channel_id))
    row = Subscription.objects.get(name="audit")
    assert row.kind == "pull"
    html = browser.get(_page(row)).content.decode()
    assert "Sent to an endpoint" not in html
    assert 'name="format"' not in html


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"mode": "cursor"}, "has the mode"),
        ({"max_deliveries": "3"}, "Not for what is sent to an endpoint"),
        ({"order": "field", "order_field": ""}, "1 to"),
        ({"format": "raw", "batch_messages": "5"}, "a request has one message"),
        ({"format": "ndjson", "batch_messages": "1001"}, "less than or equal to 1000"),
        ({"format": "ndjson", "order": "field", "order_field": "customer"}, "orders"),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_form(
    browser: Client, pushed: Webhook, wrong: Any, why: str
) -> None:
    said = _said(browser, channel=pushed.subscription.channel_id, endpoint=pushed.endpoint_id)
    assert why in browser.post(ADD, {**said, **wrong}).content.decode()
    assert Subscription.objects.count() == 1


def test_many_messages_may_go_together(browser: Client, pushed: Webhook) -> None:
    said = _said(browser, channel=pushed.subscription.channel_id, endpoint=pushed.endpoint_id)
    browser.post(ADD, {**said, "format": "ndjson", "batch_messages": "20"})
    row = Subscription.objects.get(name="audit")
    assert (row.webhook.format, row.webhook.batch_messages) == ("ndjson", 20)
    html = browser.get(_page(row)).content.decode()
    assert "up to 20 messages in a request" in html
    browser.post(_page(row), filled(html, batch_messages="7"))
    row.webhook.refresh_from_db()
    assert (row.webhook.format, row.webhook.batch_messages) == ("ndjson", 7)
    html = browser.get(_page(row)).content.decode()
    browser.post(_page(row), filled(html, format="raw"))
    row.webhook.refresh_from_db()
    assert (row.webhook.format, row.webhook.batch_messages) == ("raw", None)


def test_an_attempt_says_in_which_batch_it_was(
    browser: Client, pushed: Webhook, log: list[Attempted]
) -> None:
    assert "in the batch" not in browser.get(_page(pushed.subscription)).content.decode()
    attempts.record([log[0]._replace(webhook_id="b" * 24)])
    html = browser.get(_page(pushed.subscription)).content.decode()
    assert html.count(f"in the batch <code>{'b' * 24}</code>") == 1


def test_to_an_endpoint_of_others_nothing_is_sent_without_the_permission(
    pushed: Webhook, django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("clerk", is_staff=True)
    codes = ("view_subscription", "add_subscription", "view_channel")
    user.user_permissions.set(Permission.objects.filter(codename__in=codes))
    clerk = Client()
    clerk.force_login(user)
    said = _said(clerk, channel=pushed.subscription.channel_id, endpoint=pushed.endpoint_id)
    assert "not one of the available choices" in clerk.post(ADD, said).content.decode()
    Endpoint.objects.update(owner=user)
    clerk.post(ADD, said)
    assert Subscription.objects.filter(name="audit", kind="webhook").exists()


def test_one_is_made_that_is_in_order_by_a_field(browser: Client, pushed: Webhook) -> None:
    said = _said(browser, channel=pushed.subscription.channel_id, endpoint=pushed.endpoint_id)
    browser.post(ADD, {**said, "format": "raw", "order": "field", "order_field": "customer"})
    row = Subscription.objects.get(name="audit")
    assert (row.kind, row.order, row.order_field) == ("webhook", "field", "customer")
    Delivery.objects.create(
        subscription=row, position="0", message_id=b"m" * 12, state=State.WAITING, attempt=1, key="k"
    )
    assert (
        "1 value of customer parked behind a message that fails" in browser.get(_page(row)).content.decode()
    )
    Delivery.objects.update(attempt=0)  # It was passed by the cursor while it was under way.
    assert "parked behind a message that fails" not in browser.get(_page(row)).content.decode()


def test_the_page_says_what_became_of_the_attempts_and_when_the_next_is_due(
    browser: Client, pushed: Webhook, log: list[Attempted], store: Any
) -> None:
    store(1)
    give(pushed.subscription, [1], State.WAITING)
    Delivery.objects.update(due_at=1_795_262_400_000)
    html = browser.get(_page(pushed.subscription)).content.decode()
    card = html.split('id="pushed"')[1].split("</section>")[0]
    assert card.index(">200<") < card.index(f">{Failure.TIMEOUT.value}<")
    assert "&lt;script&gt;x" in card
    assert "<script>x" not in card
    assert "0.250 s" in card
    assert "2026-11-21 12:00:00" in card
    assert "0 s, 5 s, 5 min" in card


def test_what_it_answered_is_said_to_who_may_see_the_endpoint(
    pushed: Webhook, log: list[Attempted], django_user_model: Any
) -> None:
    user = django_user_model.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=("view_subscription", "view_channel")))
    clerk = Client()
    clerk.force_login(user)

    def said() -> str:
        return clerk.get(_page(pushed.subscription)).content.decode()

    assert ">200<" in said()
    assert "&lt;script&gt;x" not in said()
    assert "shown to who may see the endpoint" in said()
    Endpoint.objects.update(owner=user)
    assert "&lt;script&gt;x" in said()


def test_without_mongodb_the_page_says_so(
    browser: Client, pushed: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> Any:
        raise AutoReconnect

    monkeypatch.setattr(attempts, "read", away)
    assert "Not known: MongoDB does not answer." in browser.get(_page(pushed.subscription)).content.decode()
