"""Two who do something with one endpoint at once: nobody does what he may not, nor waits for ever."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import RequestFactory
from rest_framework.test import APIClient

from channels_app import registration as channels
from relaycore.delivering.beginning import parse
from relaycore.errors import EndpointUnknown, SubscriptionUnknown
from subscribers_app import registration as subscriptions
from subscribers_app.models import Subscription
from tests.conftest import InThread
from tests.integration.subscriptions.test_at_once import _waits
from webhooks_app import registration
from webhooks_app.models import Endpoint, Webhook
from webhooks_app.subscribing import to_endpoint

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

HOOK = "/api/v1/endpoints/hook"
URL = "https://hooks.example.org/relay"
OTHER = "https://hooks.example.org/other"
SOME = {"scope": "manage", "channels": ["orders*"]}
VOUCHED = {"confirmation": "vouched"}


@pytest.fixture(autouse=True)
def _threads_may_ask_mongodb(archive: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("messages_app.searching.counting.collection", lambda: archive)


@pytest.fixture
def other(stranger: Callable[..., APIClient]) -> APIClient:
    """Somebody who may manage "orders", and has the endpoint "hook"."""
    client = stranger(SOME)
    made = client.post("/api/v1/endpoints", {"name": "hook", "url": URL}, format="json")
    assert made.status_code == 201
    return client


def _hang(name: str, channel: str) -> None:
    """A subscription of this channel on "hook"."""
    making = to_endpoint(Endpoint.objects.get(name="hook"), {})
    start = parse("earliest")
    subscriptions.create_all([(name, channel)], "lease", start, Subscription.Kind.WEBHOOK, making)


def test_who_may_not_vouch_moves_no_endpoint_that_was_vouched_for_meanwhile(
    other: APIClient, in_thread: InThread
) -> None:
    with transaction.atomic():
        registration.change("hook", url=URL, confirmation="vouched")
        moved = in_thread(lambda: other.patch(HOOK, {"url": OTHER}, format="json").status_code)
        assert _waits(moved)
    assert moved.result(10) == 403
    row = Endpoint.objects.get()
    assert (row.url, row.state) == (URL, "active")


def test_who_vouches_says_for_which_url(other: APIClient, api: APIClient) -> None:
    answer = api.patch(HOOK, VOUCHED, format="json")
    assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (400, "bad-endpoint")
    assert "If-Match" in answer.json()["detail"]
    seen = api.get(HOOK)["ETag"]
    assert other.patch(HOOK, {"url": OTHER}, format="json").status_code == 200
    assert api.patch(HOOK, VOUCHED, format="json", headers={"If-Match": seen}).status_code == 412
    assert Endpoint.objects.get().state == "pending"
    seen = api.get(HOOK)["ETag"]
    assert api.patch(HOOK, VOUCHED, format="json", headers={"If-Match": seen}).json()["state"] == "active"
    again = api.patch(HOOK, {**VOUCHED, "url": URL}, format="json").json()
    assert (again["url"], again["state"]) == (URL, "active")


def test_what_was_decided_about_one_is_not_done_to_another_of_its_name(
    other: APIClient, operator: Any, orders: Any
) -> None:
    row = Endpoint.objects.get()
    registration.delete(row)
    registration.create("hook", operator, url=URL)
    for do in (
        lambda: registration.change(row, timeout_seconds=3),
        lambda: registration.rotate(row, None, 0),
        lambda: registration.ask_again(row),
        lambda: registration.enable(row),
        lambda: registration.disable(row),
        lambda: registration.delete(row),
        lambda: to_endpoint(row, {}).attach([]),
    ):
        with pytest.raises(EndpointUnknown, match='"hook"'), transaction.atomic():
            do()
    assert Endpoint.objects.get().revision == 1


def test_nor_is_what_was_decided_about_a_subscription(orders: Any) -> None:
    channels.start("prices", listen=False)
    row = subscriptions.create("billing", "orders", "lease", parse("earliest"))
    subscriptions.delete(row)
    subscriptions.create("billing", "prices", "lease", parse("earliest"))
    for do in (
        lambda: subscriptions.change(row, delay_seconds=3),
        lambda: subscriptions.pause(row),
        lambda: subscriptions.resume(row),
        lambda: subscriptions.resume(row, parse("earliest")),
        lambda: subscriptions.delete(row),
    ):
        with pytest.raises(SubscriptionUnknown, match='"billing"'):
            do()
    assert Subscription.objects.get().channel.channel == "prices"


@pytest.mark.parametrize("does", ["delete", "enable"])
def test_what_is_hung_on_it_meanwhile_needs_its_channel_too(
    other: APIClient, orders: Any, in_thread: InThread, does: str
) -> None:
    channels.start("prices", listen=False)

    def do() -> int:
        if does == "delete":
            return other.delete(f"{HOOK}?cascade=true").status_code
        return other.post(
            f"{HOOK}/enable", {"from": {"time": "2026-01-01T00:00:00Z"}}, format="json"
        ).status_code

    with transaction.atomic():
        _hang("theirs", "prices")
        done = in_thread(do)
        assert _waits(done)
    assert done.result(10) == 403
    assert Subscription.objects.count() == 1


def test_subscriptions_are_locked_in_the_order_of_their_ids(
    other: APIClient, orders: Any, in_thread: InThread
) -> None:
    for name in ("b", "a"):
        _hang(name, "orders")
    first, second = Subscription.objects.order_by("pk")
    # PostgreSQL finds it after the other one now, in either table.
    Subscription.objects.filter(pk=first.pk).update(delay_seconds=1)
    Webhook.objects.filter(pk=first.pk).update(format="raw")
    with transaction.atomic():
        Subscription.objects.select_for_update(no_key=True).get(pk=first.pk)
        done = in_thread(lambda: registration.delete("hook", cascade=True))
        assert _waits(done)
        assert Subscription.objects.select_for_update(nowait=True).get(pk=second.pk)
    done.result(10)
    assert not Subscription.objects.exists()


def test_forms_of_two_who_ask_at_once_have_each_his_own_endpoints(
    other: APIClient, operator: Any, django_user_model: Any
) -> None:
    clerk = django_user_model.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.add(Permission.objects.get(codename="add_subscription"))
    forms = []
    for user in (clerk, operator):
        request = RequestFactory().get("/")
        request.user = user
        forms.append(site.get_model_admin(Subscription).get_form(request))
    fields: list[Any] = [form().fields["endpoint"] for form in forms]
    of_clerk, of_operator = (field.queryset for field in fields)
    assert (of_clerk.count(), of_operator.count()) == (0, 1)
