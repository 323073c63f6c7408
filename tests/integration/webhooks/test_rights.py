"""An endpoint belongs to who has made it."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from channels_app import registration as channels
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint

pytestmark = pytest.mark.django_db

ENDPOINTS = "/api/v1/endpoints"
HOOK = f"{ENDPOINTS}/hook"
NEW = {"name": "hook", "url": "https://hooks.example.org/relay"}
ACTIONS = ("rotate", "confirm", "challenge", "test", "enable", "disable")
SOME = {"scope": "manage", "channels": ["orders*"]}
ALL = {"scope": "manage", "channels": ["*"]}
OTHERS = tuple(f"webhooks_app.{verb}_endpoint" for verb in ("view", "change", "delete"))


def _all(client: APIClient, name: str = "hook") -> dict[str, int]:
    """What each thing that can be done with an endpoint comes to."""
    address = f"{ENDPOINTS}/{name}"
    bodies = {"confirm": {"challenge": "x"}}
    return {
        "get": client.get(address).status_code,
        "patch": client.patch(address, {"timeout_seconds": 9}, format="json").status_code,
        **{
            action: client.post(f"{address}/{action}", bodies.get(action, {}), format="json").status_code
            for action in ACTIONS
        },
        "delete": client.delete(address).status_code,
    }


@pytest.fixture
def hook(api: APIClient) -> Any:
    """One of the operator's."""
    return api.post(ENDPOINTS, NEW, format="json").json()


def test_another_cannot_do_anything_with_it_nor_learn_whether_it_is_there(hook: Any, stranger: Any) -> None:
    for grants, name in ((SOME, "some"), (ALL, "all")):
        other = stranger(grants, name=name)
        assert set(_all(other).values()) == {403}
        assert _all(other, "nothing") == _all(other)
        told = [other.get(f"{ENDPOINTS}/{one}").json()["detail"] for one in ("hook", "nothing")]
        assert told[0].replace('"hook"', '"nothing"') == told[1]
        assert other.get(ENDPOINTS).json()["count"] == 0
    assert Endpoint.objects.get().timeout_seconds == 15


def test_whoever_may_manage_any_channel_has_his_own(stranger: Any) -> None:
    other = stranger(SOME)
    assert other.post(ENDPOINTS, NEW, format="json").status_code == 201
    found = _all(other)
    assert found == {
        **dict.fromkeys(("get", "patch", "rotate", "challenge", "enable", "disable"), 200),
        "confirm": 404,
        "test": 409,
        "delete": 204,
    }


def test_a_token_that_reads_sees_its_users_endpoints_and_changes_none(stranger: Any) -> None:
    stranger(ALL).post(ENDPOINTS, NEW, format="json")
    row = Endpoint.objects.get()
    reader = stranger({"scope": "read", "channels": ["orders"]}, name="reader")
    Endpoint.objects.update(owner=row.owner.__class__.objects.get(username="reader"))
    assert reader.get(ENDPOINTS).json()["count"] == 1
    found = _all(reader)
    assert found.pop("get") == 200
    assert set(found.values()) == {403}
    assert reader.post(ENDPOINTS, NEW, format="json").status_code == 403


def test_with_djangos_permissions_and_every_channel_he_may(hook: Any, stranger: Any) -> None:
    some = stranger(SOME, name="some", more=OTHERS)
    assert set(_all(some).values()) == {403}
    everywhere = stranger(ALL, name="all", more=OTHERS)
    assert everywhere.get(ENDPOINTS).json()["count"] == 1
    assert everywhere.get(f"{ENDPOINTS}/nothing").status_code == 404
    found = _all(everywhere)
    assert (found["get"], found["patch"], found["delete"]) == (200, 200, 204)


def test_nobody_sends_to_anothers_endpoint(hook: Any, orders: Any, stranger: Any) -> None:
    body = {"name": "theirs", "channel": "orders", "kind": "webhook", "endpoint": "hook", "start": "latest"}
    other = stranger(SOME)
    for endpoint in ("hook", "nothing"):
        refused = other.post("/api/v1/subscriptions", {**body, "endpoint": endpoint}, format="json")
        assert refused.status_code == 403
    assert not Subscription.objects.exists()
    # The same URL is another endpoint, which is his.
    del body["endpoint"]
    made = other.post("/api/v1/subscriptions", {**body, "url": NEW["url"]}, format="json")
    assert (made.status_code, made.json()["endpoint"]) == (201, "theirs")
    assert Endpoint.objects.get(name="theirs").owner.username == "stranger"


def test_what_hangs_on_it_needs_its_channels(hook: Any, api: APIClient, orders: Any, stranger: Any) -> None:
    channels.start("prices", listen=False)
    other = stranger(SOME)
    Endpoint.objects.update(owner=other.get("/api/v1/channels").wsgi_request.user.pk or 0)
    body = {"name": "theirs", "channel": "prices", "kind": "webhook", "endpoint": "hook", "start": "latest"}
    assert api.post("/api/v1/subscriptions", body, format="json").status_code == 201
    assert other.delete(f"{HOOK}?cascade=true").status_code == 403
    assert other.post(f"{HOOK}/enable", {"from": "latest"}, format="json").status_code == 403
    assert other.post(f"{HOOK}/enable", format="json").status_code == 200
    assert Subscription.objects.count() == 1
