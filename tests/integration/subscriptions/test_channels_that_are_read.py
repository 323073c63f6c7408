"""A channel that somebody has subscribed to does not go by accident."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry
from channels_app import registration
from channels_app.models import Channel
from relaycore.delivering.leasing import State
from relaycore.errors import ChannelHasSubscriptions
from subscribers_app.models import Delivery, Subscription
from tests.integration.subscriptions.conftest import give, subscribe

pytestmark = pytest.mark.django_db

ADDRESSES = ["/api/v1/channels/orders", "/api/v1/stop-listening/orders"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_it_stays_while_it_is_read(api: Any, orders: Any, address: str) -> None:
    for name in ("a", "b", "c", "d", "e"):
        subscribe(name)
    for query in ("", "?cascade=false"):
        answer = api.delete(address + query)
        assert (answer.status_code, answer.json()["type"]) == (
            409,
            "urn:relay:problem:channel-has-subscriptions",
        )
    assert "a, b, c and 2 more" in answer.json()["detail"]
    assert "?cascade=true" in answer.json()["detail"]
    assert api.delete(address + "?cascade=perhaps").status_code == 400
    assert Channel.objects.exists()
    assert not AuditEntry.objects.filter(action="channel stopped").exists()


@pytest.mark.parametrize("address", ADDRESSES)
def test_its_readers_go_as_well_if_that_is_said(api: Any, orders: Any, store: Any, address: str) -> None:
    store(1)
    give(subscribe(), [1], State.DEAD)
    subscribe("audit", "cursor")
    assert api.delete(address + "?cascade=true").status_code == 204
    assert [table.objects.count() for table in (Channel, Subscription, Delivery)] == [0, 0, 0]
    deleted = AuditEntry.objects.filter(action="subscription deleted").values_list("target", "actor")
    assert sorted(deleted) == [("audit", "operator"), ("billing", "operator")]


def test_who_may_not_delete_subscriptions_takes_none_along(django_user_model: Any, orders: Any) -> None:
    subscribe()
    user = django_user_model.objects.create_user("clerk")
    user.user_permissions.set(Permission.objects.filter(codename="delete_channel"))
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make('clerk', user, 'manage')[1]}")
    assert client.delete(ADDRESSES[0]).status_code == 409
    assert client.delete(ADDRESSES[0] + "?cascade=true").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="delete_subscription"))
    assert client.delete(ADDRESSES[0] + "?cascade=true").status_code == 204


def test_who_reads_keeps_on_where_nobody_listens_any_more(api: Any, relay_keys: Any, archive: Any) -> None:
    registration.start("orders")
    subscribe()
    assert api.patch(ADDRESSES[0], {"listen": False}, format="json").status_code == 200
    assert Subscription.objects.exists()


def test_of_several_none_goes_if_one_is_read(orders: Any) -> None:
    registration.start("bills", listen=False)
    subscribe()
    with pytest.raises(ChannelHasSubscriptions):
        registration.stop_all(Channel.objects.all())
    assert Channel.objects.count() == 2
    assert registration.stop_all(Channel.objects.all(), cascade=True) == 2


def test_by_the_command(orders: Any, capsys: Any) -> None:
    subscribe()
    with pytest.raises(CommandError, match="read by billing"):
        call_command("channels", "stop", "orders")
    call_command("channels", "stop", "orders", "--cascade")
    assert [table.objects.count() for table in (Channel, Subscription)] == [0, 0]


def test_in_the_admin(browser: Any, orders: Any) -> None:
    row = subscribe()
    page = browser.get(f"/admin/channels_app/channel/{orders.pk}/delete/")
    assert "billing" in page.content.decode()
    browser.post(f"/admin/channels_app/channel/{orders.pk}/delete/", {"post": "yes"})
    several = {"action": "delete_selected", "_selected_action": [orders.pk], "post": "yes"}
    browser.post("/admin/channels_app/channel/", several)
    assert Channel.objects.exists()
    row.delete()
    browser.post(f"/admin/channels_app/channel/{orders.pk}/delete/", {"post": "yes"})
    assert not Channel.objects.exists()
