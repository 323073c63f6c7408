"""What a token with a few channels sees of the others, whatever it asks: nothing."""

from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
from bson import ObjectId
from django.contrib.auth.models import Group
from django.http import HttpResponse
from django.test import Client
from django.urls import get_resolver
from rest_framework.test import APIClient
from rest_framework.views import APIView

from access_app import tokens
from access_app.holders import PERMISSIONS
from access_app.models import AuditEntry
from access_app.permissions import OF_USE
from channels_app.api.views import ChannelList
from channels_app.models import Channel, Gap
from channels_app.registration import start
from messages_app.models import Quarantined
from relaycore.rights import Grants, parse
from relayproject.hot import ENDPOINTS
from relayproject.observing.metrics import Metrics
from tests.integration.access.conftest import permission

pytestmark = pytest.mark.django_db

OWN = ("orders.a", "orders.b", "orders.c")
OTHERS = ("secret", "order", "orders", "Orders.x", "prices/")
OWN_ID, OTHERS_ID, NO_ID = "1" * 24, "2" * 24, "3" * 24


@pytest.fixture
def stored(archive: Any, relay_keys: Any) -> None:
    """Channels, a message of one that may be read and one of another, and a gap of each kind."""
    for name in (*OWN, *OTHERS):
        start(name)
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    archive.insert_many(
        {
            "_id": ObjectId(id),
            "channel": channel,
            "message": f"in {channel}",
            "received_at": at,
            "position": f"1795262400125-0000000000-{id[:5]}",
        }
        for id, channel in [(OWN_ID, "orders.a"), (OTHERS_ID, "secret")]
    )
    for channel in ("", "orders.a", "secret"):
        Gap.objects.create(partition=0, channel=channel, cause=Gap.Cause.DEAF, began_at=at, ended_at=at)


@pytest.fixture(autouse=True)
def _metrics_of_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may ask is what matters here. What they look at, they look at in threads, outside the test."""
    monkeypatch.setattr(Metrics, "get", lambda *_: HttpResponse())


def _client(user: Any, grants: Grants | str, name: str = "shop") -> APIClient:
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make(name, user, grants)[1]}")
    return client


@pytest.fixture
def shop(operator: Any, stored: None) -> APIClient:
    """May manage orders.*, and publish everywhere."""
    grants = [{"scope": "manage", "channels": ["orders.*"]}, {"scope": "publish", "channels": ["*"]}]
    return _client(operator, parse(grants))


def test_a_list_shows_and_counts_what_may_be_read(shop: APIClient) -> None:
    page = shop.get("/api/v1/channels?limit=2").json()
    rest = shop.get(page["next"]).json()

    assert (page["count"], rest["count"], rest["next"]) == (3, 3, None)
    assert [row["channel"] for row in page["results"] + rest["results"]] == list(OWN)
    for search in ("secret", "order", "e"):
        found = shop.get("/api/v1/channels", {"search": search}).json()
        assert {row["channel"] for row in found["results"]} <= set(OWN)
        assert found["count"] == len(found["results"])
    for status in Channel.Status.values:
        assert shop.get("/api/v1/channels", {"status": status}).json()["count"] in {0, 3}


def test_gaps_of_other_channels_are_not_shown(shop: APIClient) -> None:
    for address in ("gaps", "gaps?partition=0", "gaps?limit=1000", "gaps?channel=orders.a"):
        found = [row["channel"] for row in shop.get(f"/api/v1/{address}").json()["results"]]
        assert found == ["orders.a", None]


@pytest.mark.parametrize("name", [*OTHERS, "never there"])
@pytest.mark.parametrize(
    ("method", "address", "body"),
    [
        ("get", "channels/{}", None),
        ("get", "stop-listening/{}", None),
        ("delete", "channels/{}", None),
        ("delete", "stop-listening/{}", None),
        ("patch", "channels/{}", {"retention_seconds": 100}),
        ("patch", "channels/{}", {"nonsense": 1}),
        ("get", "messages?channel={}", None),
        ("get", "messages?channel={}&since=2030-01-01&contains=a", None),
        ("get", "messages?channel={}&cursor=nonsense", None),
        ("get", "messages/export?channel={}", None),
        ("get", "gaps?channel={}", None),
        ("get", "quarantine?channel={}", None),
        ("post", "channels", {"channel": "{}"}),
        ("post", "start-listening", {"channel": "{}"}),
        ("post", "start-listening?wait=1", {"channel": "{}", "retention_seconds": 100}),
    ],
)
def test_another_channel_is_refused_whether_there_is_one_or_not(
    shop: APIClient, name: str, method: str, address: str, body: Any
) -> None:
    before = (Channel.objects.count(), AuditEntry.objects.count())
    sent = body and {key: value.format(name) if key == "channel" else value for key, value in body.items()}
    options = {"format": "json"} if sent else {}
    answer = getattr(shop, method)(f"/api/v1/{address.format(quote(name, safe=''))}", sent, **options)

    assert answer.status_code == 403
    named = name.removesuffix("/") if "{}" in address.partition("?")[0] else name
    assert answer.json()["detail"] in {
        f'This token has the scope "{scope}" on orders.*. "{one}" is none of these channels.'
        for scope in ("read", "manage")
        for one in (name, named)
    }
    assert (Channel.objects.count(), AuditEntry.objects.count()) == before


def test_a_message_of_another_channel_is_as_unknown_as_none(shop: APIClient) -> None:
    """Its id is the hash of channel and text: who may ask whether there is one can guess texts."""
    other, none = (shop.get(f"/api/v1/messages/{id}") for id in (OTHERS_ID, NO_ID))

    assert shop.get(f"/api/v1/messages/{OWN_ID}").json()["message"] == "in orders.a"
    assert (other.status_code, other.content) == (404, none.content)


def test_what_is_in_quarantine_of_another_channel_is_not_there(shop: APIClient, api: APIClient) -> None:
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    made = {"payload": b"x", "size": 1, "reason": "no", "position": "1", "quarantined_at": at}
    own, other, unread = (
        Quarantined.objects.create(channel=of, **made) for of in ("orders.a", "secret", None)
    )
    try:
        assert shop.get("/api/v1/quarantine").status_code == 403
        page = shop.get("/api/v1/quarantine?channel=orders.a").json()
        assert [row["id"] for row in page["results"]] == [str(own.pk)]
        for method, more in (("get", ""), ("delete", ""), ("post", "/acknowledge")):
            for entry in (other, unread):
                answer = getattr(shop, method)(f"/api/v1/quarantine/{entry.pk}{more}")
                none = getattr(shop, method)(f"/api/v1/quarantine/{NO_ID}{more}")
                assert (answer.status_code, answer.content) == (404, none.content)
        assert len(api.get("/api/v1/quarantine").json()["results"]) == 3
        assert shop.post(f"/api/v1/quarantine/{own.pk}/acknowledge").status_code == 200
        assert shop.delete(f"/api/v1/quarantine/{own.pk}").status_code == 204
    finally:
        Quarantined.objects.all().delete()


def test_of_several_channels_the_others_are_refused(shop: APIClient) -> None:
    names = ["orders.a", "orders.new", "secret", "never there"]
    answer = shop.post("/api/v1/start-listening", {"channels": names}, format="json").json()

    assert (answer["started"], answer["existing"]) == (["orders.new"], ["orders.a"])
    assert [row["channel"] for row in answer["refused"]] == ["secret", "never there"]
    assert all("is none of these channels" in row["detail"] for row in answer["refused"])
    assert not Channel.objects.filter(channel="never there").exists()


def test_its_own_channels_are_its_own(shop: APIClient) -> None:
    for address in ("channels/orders.a", "messages?channel=orders.a", "messages/export?channel=orders.a"):
        assert shop.get(f"/api/v1/{address}").status_code == 200
    assert shop.get("/api/v1/channels/orders.never").status_code == 404
    assert shop.post("/api/v1/start-listening", {"channel": "orders.new"}, format="json").status_code == 201
    assert shop.delete("/api/v1/channels/orders.new").status_code == 204


def test_a_slash_at_the_end_leads_to_no_other_channel(operator: Any, stored: None) -> None:
    """The address `x/` means the channel `x` where there is no `x/`. Only one of them may be the token's."""
    start("a"), start("b/"), start("b")
    client = _client(operator, parse([{"scope": "manage", "channels": ["a/", "b"]}]))

    assert client.get("/api/v1/channels/a/").status_code == 404
    assert client.delete("/api/v1/channels/a/").status_code == 404
    assert client.get("/api/v1/channels/b/").json()["channel"] == "b"
    assert client.delete("/api/v1/channels/b/").status_code == 204
    assert set(Channel.objects.filter(channel__in=["a", "b", "b/"]).values_list("channel", flat=True)) == {
        "a",
        "b/",
    }


def test_who_may_only_publish_reads_nothing(operator: Any, stored: None) -> None:
    client = _client(operator, "publish")
    for address in ("channels", "channels/secret", "messages?channel=secret", "gaps", f"messages/{OWN_ID}"):
        answer = client.get(f"/api/v1/{address}")
        assert answer.status_code == 403
        assert 'scope "publish", which does not include "read"' in answer.json()["detail"]
    assert client.get("/api/v1/").status_code == 200


def test_metrics_are_about_every_channel(shop: APIClient, operator: Any, archive: Any) -> None:
    assert shop.get("/metrics").status_code == 403
    assert _client(operator, "consume", "prometheus").get("/metrics").status_code == 200


# --- what Django's permissions say -----------------------------------------------------------

METRICS = "/metrics"

USES = {
    "channels_app.view_channel": [
        ("get", "channels"),
        ("get", "channels/orders.a"),
        ("get", METRICS),
    ],
    "channels_app.view_gap": [("get", "gaps")],
    "channels_app.add_channel": [("post", "start-listening")],
    "channels_app.change_channel": [("patch", "channels/orders.a")],
    "channels_app.delete_channel": [("delete", "channels/orders.a"), ("delete", "stop-listening/orders.a")],
    "messages_app.view_message": [
        ("get", "messages?channel=orders.a"),
        ("get", "messages/export?channel=orders.a"),
        ("get", f"messages/{OWN_ID}"),
    ],
}


@pytest.fixture(params=["session", "token"])
def came(request: Any, clerk: Any, stored: None) -> Any:
    """The clerk in a browser, and a program of his that may manage everything."""
    if request.param == "token":
        return _client(clerk, "manage")
    client = Client()
    client.force_login(clerk)
    return client


def _ask(client: Any, method: str, address: str) -> Any:
    path = address if address == METRICS else f"/api/v1/{address}"
    body = {"post": {"channel": "orders.new"}, "patch": {"retention_seconds": 100}}.get(method)
    how = {"format": "json"} if isinstance(client, APIClient) else {"content_type": "application/json"}
    return getattr(client, method)(path, body, **how)


@pytest.mark.parametrize("by_group", [False, True])
@pytest.mark.parametrize("label", USES)
def test_a_user_may_what_his_permissions_say(came: Any, clerk: Any, label: str, by_group: bool) -> None:
    asked = [(of, *one) for of, all_of in USES.items() for one in all_of]
    for of, method, address in asked:
        answer = _ask(came, method, address)
        assert (answer.status_code, of in answer.json()["detail"]) == (403, True)
    if by_group:
        clerk.groups.add(Group.objects.create(name="some"))
        clerk.groups.get().permissions.add(permission(label))
    else:
        clerk.user_permissions.add(permission(label))
    for of, method, address in asked:
        assert (_ask(came, method, address).status_code == 403) is (of != label), address
        if method == "delete" and of == label:
            start("orders.a")


def _views() -> list[tuple[str, type[APIView]]]:
    """All of the API."""
    found = []
    for pattern in get_resolver().url_patterns:
        view = getattr(getattr(pattern, "callback", None), "cls", None)
        if view is not None and str(pattern.pattern).startswith("^api/v1"):
            found.append((str(pattern.pattern), view))
    return found


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_what_is_answered_before_django_needs_the_same_as_its_view(endpoint: Any) -> None:
    for method in endpoint.functions:
        need = endpoint.view.needs[method]
        assert (need.right, need.permission) == (endpoint.right, PERMISSIONS[endpoint.right])


def test_each_view_names_what_it_needs() -> None:
    views = _views()
    assert len(views) >= 9
    for address, view in views:
        methods = {name.upper() for name in view.http_method_names if hasattr(view, name)} - {
            "OPTIONS",
            "HEAD",
        }
        assert methods <= set(getattr(view, "needs", {})), address


def test_what_a_user_lacks_is_looked_for_in_all_that_views_need() -> None:
    needed: dict[str, set[str]] = {}
    for _, view in _views():
        for need in filter(None, getattr(view, "needs", {}).values()):
            needed.setdefault(need.right, set()).add(need.permission)
    assert needed == OF_USE


def test_a_method_that_names_no_need_is_refused(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert api.get("/api/v1/channels").status_code == 200
    assert api.put("/api/v1/channels").status_code == 405
    assert api.options("/api/v1/channels").status_code == 200
    monkeypatch.setattr(ChannelList, "needs", {})
    assert api.get("/api/v1/channels").status_code == 403
    assert api.head("/api/v1/channels").status_code == 403
