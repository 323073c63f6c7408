"""Subscriptions by HTTP."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry
from channels_app import registration as channels
from relaybase.http import cursors
from relaycore.delivering.cursor import first_generation
from relaycore.delivering.leasing import State
from relaycore.filtering import policy
from relaycore.position import START
from relaycore.rights import parse
from subscribers_app import watching
from subscribers_app.models import Delivery, HeldBack, Subscription, Undelivered
from subscribers_app.pulling import holding
from tests.integration.subscriptions.conftest import at, give, key, moment, subscribe

pytestmark = pytest.mark.django_db

SUBSCRIPTIONS = "/api/v1/subscriptions"
BILLING = f"{SUBSCRIPTIONS}/billing"
NEW = {"name": "billing", "channel": "orders", "mode": "lease", "start": "earliest"}


def _post(api: Any, address: str = SUBSCRIPTIONS, **body: Any) -> Any:
    return api.post(address, body, format="json")


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_a_subscription_is_made(api: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    answer = _post(api, **NEW, max_deliveries=5, filter={"kind": ["new"]})

    row = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, row["url"])
    assert {**NEW, "max_deliveries": 5, "kind": "pull", "state": "active", "position": START}.items() >= {
        name: row[name] for name in ("name", "channel", "mode", "max_deliveries", "kind", "state", "position")
    }.items()
    assert row["filter"] == {"kind": ["new"]}
    assert (row["ack_deadline_seconds"], row["order"], row["delay_seconds"]) == (30, "none", 0)
    assert (row["lag"]["messages"], row["lag"]["exact"]) == (2, False)
    entry = AuditEntry.objects.get(action="subscription created")
    assert (entry.target, entry.details["channel"], entry.actor) == ("billing", "orders", "operator")
    later = api.get(row["url"]).json()
    assert later | {name: row[name] for name in ("lag", "rates")} == row
    assert _type(_post(api, **NEW)) == (409, "subscription-exists")


def test_a_cursor_has_nothing_that_leases_have(api: Any, orders: Any) -> None:
    cursor = {**NEW, "mode": "cursor"}
    for more in (
        {"ack_deadline_seconds": 30},
        {"max_deliveries": None},
        {"max_outstanding": 1000},
        {"order": "channel"},
        {"order": {"field": "customer"}},
    ):
        answer = _post(api, **cursor, **more)
        assert _type(answer) == (400, "bad-subscription")
        assert next(iter(more)) in answer.json()["detail"]
    assert not Subscription.objects.exists()
    row = _post(api, **cursor, order="none", delay_seconds=5).json()
    assert (row["order"], row["ack_deadline_seconds"], row["max_outstanding"]) == (None, None, None)
    assert _type(api.patch(BILLING, {"max_deliveries": 1}, format="json")) == (400, "bad-subscription")


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"order": {"field": ""}}, "invalid"),
        ({"order": {"field": "x" * 101}}, "invalid"),
        ({"order": {"field": "nul\0"}}, "invalid"),
        ({"order": {"field": ["customer"]}}, "invalid"),
        ({"order": {"field": "customer", "by": "heart"}}, "invalid"),
        ({"order": "field"}, "invalid"),
        ({"order_field": "customer"}, "invalid"),
        ({"order": "by heart"}, "invalid"),
        ({"order": 5}, "invalid"),
        ({"order": None}, "invalid"),
        ({"filter": "all"}, "bad-filter"),
        ({"filter": {"kind": "new"}}, "bad-filter"),
        ({"filter": {"kind": {"of": ["new"]}}, "filter_scope": "attributes"}, "bad-filter"),
        ({"filter": {"price": [1e100]}}, "bad-filter"),
        ({"filter": {"price": [{"numeric": ["<", 1.7e308]}]}}, "bad-filter"),
        ({"filter_scope": "headers"}, "invalid"),
        ({"kind": "webhook"}, "bad-subscription"),
        ({"mode": "queue"}, "invalid"),
        ({"start": "now"}, "invalid"),
        ({"start": {"time": "noon"}}, "invalid"),
        ({"start": {"time": 5}}, "invalid"),
        ({"start": {"position": "7"}}, "invalid"),
        ({"start": {"time": "2026-01-01", "position": START}}, "invalid"),
        ({"start": None}, "invalid"),
        ({"ack_deadline_seconds": 0}, "invalid"),
        ({"ack_deadline_seconds": 43_201}, "invalid"),
        ({"ack_deadline_seconds": "30"}, "invalid"),
        ({"ack_deadline_seconds": True}, "invalid"),
        ({"max_deliveries": 0}, "invalid"),
        ({"max_outstanding": 100_001}, "invalid"),
        ({"delay_seconds": -1}, "invalid"),
        ({"name": "with a space"}, "bad-subscription"),
        ({"name": "x" * 101}, "bad-subscription"),
        ({"name": "line\n"}, "bad-subscription"),
        ({"name": "nul\0"}, "invalid"),
        ({"channels": ["orders"]}, "invalid"),
        ({"colour": "red"}, "invalid"),
    ],
)
def test_what_cannot_be_meant_is_refused(api: Any, orders: Any, more: Any, kind: str) -> None:
    assert _type(_post(api, **{**NEW, **more})) == (400, kind)
    assert not Subscription.objects.exists()


@pytest.mark.parametrize("number", [1e99, 1.5e16, 123.0, 0.1, 5e-324, -1e22, 10**100 - 1])
def test_a_number_of_a_filter_comes_back_as_one_that_a_filter_may_have(
    api: Any, orders: Any, number: float
) -> None:
    made = _post(api, **NEW, filter={"price": [number]}).json()["filter"]
    assert policy.parse(Subscription.objects.get().filter).matches_body(f'{{"price": {number}}}')
    assert api.patch(BILLING, {"filter": made}, format="json").status_code == 200


def test_order_by_a_field_is_for_good(api: Any, orders: Any) -> None:
    made = _post(api, **NEW, order={"field": "customer"})
    assert made.json()["order"] == api.get(BILLING).json()["order"] == {"field": "customer"}
    for other in ("none", "channel", {"field": "country"}):
        answer = api.patch(BILLING, {"order": other}, format="json")
        assert _type(answer) == (400, "bad-subscription")
        assert "for good" in answer.json()["detail"]
    same = api.patch(BILLING, {"order": {"field": "customer"}, "max_deliveries": 3}, format="json")
    assert (same.status_code, same.json()["max_deliveries"]) == (200, 3)

    other = _post(api, **NEW | {"name": "shipping"})
    assert (other.status_code, other.json()["order"]) == (201, "none")
    address = BILLING.replace("billing", "shipping")
    assert api.patch(address, {"order": "channel"}, format="json").json()["order"] == "channel"
    refused = api.patch(address, {"order": {"field": "customer"}}, format="json")
    assert _type(refused) == (400, "bad-subscription")


@pytest.mark.parametrize("left_out", ["name", "channel", "mode", "start"])
def test_what_has_to_be_said(api: Any, orders: Any, left_out: str) -> None:
    answer = _post(api, **{name: value for name, value in NEW.items() if name != left_out})
    assert answer.status_code == 400
    assert left_out in answer.json()["errors"]


def test_a_channel_that_is_not_there_has_no_readers(api: Any, orders: Any) -> None:
    assert _type(_post(api, **{**NEW, "channel": "never"})) == (404, "channel-unknown")


def test_where_it_is_to_begin_has_to_be_learnt(api: Any, orders: Any, redis_away: Any) -> None:
    assert _type(_post(api, **{**NEW, "start": "latest"})) == (503, "server-away")
    assert not Subscription.objects.exists()


def test_of_several_channels_all_are_made_or_none(api: Any, orders: Any) -> None:
    channels.start("bills", listen=False)
    several = {"name": "all", "mode": "cursor", "start": "earliest"}
    assert _post(api, **several, channels=["orders", "never"]).status_code == 404
    assert _post(api, **several, channels=["orders", "orders"]).status_code == 400
    assert not Subscription.objects.exists()

    answer = _post(api, **several, channels=["orders", "bills"])
    assert answer.status_code == 201
    assert [(row["name"], row["channel"]) for row in answer.json()["results"]] == [
        ("all.1", "orders"),
        ("all.2", "bills"),
    ]


def test_the_list_is_by_name_and_in_pages(api: Any, orders: Any, store: Any) -> None:
    store(1)
    channels.start("bills", listen=False)
    subscribe("b", "cursor"), subscribe("a"), subscribe("c")
    _post(api, **{**NEW, "name": "d", "channel": "bills"})
    _post(api, f"{SUBSCRIPTIONS}/c/pause")

    def names(query: str) -> list[str]:
        return [row["name"] for row in api.get(f"{SUBSCRIPTIONS}?{query}").json()["results"]]

    page = api.get(f"{SUBSCRIPTIONS}?limit=3").json()
    assert (page["count"], [row["name"] for row in page["results"]]) == (4, ["a", "b", "c"])
    assert [row["lag"]["messages"] for row in page["results"]] == [1, 1, 1]
    assert [row["name"] for row in api.get(page["next"]).json()["results"]] == ["d"]
    assert names("channel=bills") == ["d"]
    assert names("mode=cursor") == ["b"]
    assert names("state=paused") == ["c"]
    assert names("kind=pull&search=A") == ["a"]
    assert api.get(f"{SUBSCRIPTIONS}?state=asleep").status_code == 400
    assert api.get(f"{SUBSCRIPTIONS}?channel=never").status_code == 404


def test_settings_change_where_nobody_has_changed_them_meanwhile(api: Any, orders: Any) -> None:
    subscribe()
    seen = api.get(BILLING)["ETag"]
    changed = api.patch(BILLING, {"delay_seconds": 5}, format="json", headers={"If-Match": seen})
    assert (changed.status_code, changed.json()["delay_seconds"]) == (200, 5)
    assert changed["ETag"] != seen
    for call in (api.patch, api.delete):
        answer = call(BILLING, {"delay_seconds": 6}, format="json", headers={"If-Match": seen})
        assert _type(answer) == (412, "subscription-changed")
    assert api.get(BILLING)["ETag"] == changed["ETag"]
    assert AuditEntry.objects.get(action="subscription changed").details == {
        "from_position": START,
        "delay_seconds": 5,
    }
    for fixed in ({"mode": "cursor"}, {"channel": "bills"}, {"name": "other"}, {}):
        assert api.patch(BILLING, fixed, format="json").status_code == 400
    assert api.delete(BILLING, headers={"If-Match": changed["ETag"]}).status_code == 204
    assert AuditEntry.objects.get(action="subscription deleted").target == "billing"
    assert _type(api.get(BILLING)) == (404, "subscription-unknown")


def test_what_is_handed_out_leaves_the_tag(api: Any, orders: Any, store: Any) -> None:
    store(1)
    seen = (row := subscribe()).tag
    give(row, [1])
    assert api.get(BILLING)["ETag"] == f'"{seen}"'


def test_seeking(api: Any, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    asked = {"to": {"time": moment(3).isoformat()}}
    tried = _post(api, f"{BILLING}/seek", **asked, dry_run=True).json()
    assert (tried["from"], tried["messages"], tried["exact"]) == (START, 2, True)
    assert at(2) < tried["to"] < at(3)
    assert Subscription.objects.get().generation == first_generation(row.pk)
    assert _post(api, f"{BILLING}/seek", **asked).json() == tried
    assert Subscription.objects.get().generation == first_generation(row.pk) + 1
    assert _post(api, f"{BILLING}/seek", to="earliest").json()["to"] == START
    assert _post(api, f"{BILLING}/seek").status_code == 400
    assert _post(api, f"{SUBSCRIPTIONS}/none/seek", to="latest").status_code == 404
    give(row, [1])
    assert api.get(f"{BILLING}/size").json()["messages"] == 3


def test_pausing_and_going_on(api: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    subscribe()
    paused = _post(api, f"{BILLING}/pause", reason="the shop is closed").json()
    assert (paused["state"], paused["reason"]) == ("paused", "the shop is closed")
    resumed = _post(api, f"{BILLING}/resume").json()
    assert (resumed["state"], resumed["reason"], resumed["position"]) == ("active", None, START)
    _post(api, f"{BILLING}/pause")
    assert _post(api, f"{BILLING}/resume", **{"from": "latest"}).json()["position"] == at(2)
    again = _post(api, f"{BILLING}/resume", **{"from": {"time": moment(2).isoformat()}}).json()
    assert at(1) < again["position"] < at(2)
    for wrong in ("earliest", {"position": START}, 5, ""):
        assert _post(api, f"{BILLING}/resume", **{"from": wrong}).status_code == 400


def test_dead_letters(api: Any, orders: Any, store: Any) -> None:
    store(1, 2)
    row = subscribe()
    give(row, [1, 2, 3], State.DEAD, why="given back")
    letters = f"{BILLING}/dead-letters"

    page = api.get(f"{letters}?limit=2").json()
    found = [*page["results"], *api.get(page["next"]).json()["results"]]
    assert [(one["id"], one["position"], one["expired"]) for one in found] == [
        (key(1).hex(), at(1), False),
        (key(2).hex(), at(2), False),
        (key(3).hex(), at(3), True),
    ]
    assert (found[0]["why"], found[0]["attempts"]) == ("given back", 1)
    assert _post(api, f"{letters}/redrive", all=True, dry_run=True).json() == {
        "messages": 2,
        "expired": 1,
        "above_cursor": 0,
    }
    assert Delivery.objects.filter(state="dead").count() == 3
    assert _post(api, f"{letters}/redrive", ids=[key(1).hex()]).json() == {
        "messages": 1,
        "expired": 0,
        "above_cursor": 0,
    }
    assert _post(api, f"{letters}/drop", ids=[key(2).hex(), key(1).hex()]).json() == {"messages": 1}
    assert _post(api, f"{letters}/drop", since="2020-01-01T00:00:00Z").json() == {"messages": 1}
    assert _post(api, f"{BILLING}/skip", id=key(1).hex()).json() == {"messages": 1}
    assert _type(_post(api, f"{BILLING}/skip", id=key(1).hex())) == (404, "delivery-unknown")
    assert not Delivery.objects.exists()
    for wrong in ({}, {"all": False}, {"all": True, "ids": ["0" * 24]}, {"ids": []}, {"ids": ["x" * 24]}):
        assert _post(api, f"{letters}/drop", **wrong).status_code == 400
    for id in ("x", 5, " " + "0" * 23, None):
        assert _post(api, f"{BILLING}/skip", id=id).status_code == 400


def test_parked_keys(api: Any, orders: Any, store: Any) -> None:
    row = subscribe(order="field", order_field="customer")
    give(row, [1, 2, 3, 4, 5], State.LEASED)
    found = Delivery.objects.filter(subscription=row)
    found.filter(position=at(1)).update(key="a" * 24, attempt=3, due_at=9000)
    found.filter(position=at(2)).update(key="b" * 24, state=State.WAITING)
    found.filter(position=at(3)).update(key="c" * 24)  # It is with a worker, and has failed nobody.
    found.filter(position=at(4)).update(attempt=5)  # It has no value, and holds nothing back.
    found.filter(position=at(5)).update(key="d" * 24, state=State.DEAD, attempt=5)
    held = [HeldBack(subscription=row, key=key * 24, above=at(2), upto=at(9), messages=7) for key in "ac"]
    HeldBack.objects.bulk_create(held)
    page = api.get(f"{BILLING}/parked?limit=1").json()
    results = [*page["results"], *api.get(page["next"]).json()["results"]]
    assert [(one["key"][0], one["id"], one["position"], one["waiting"]) for one in results] == [
        ("a", key(1).hex(), at(1), 7),
        ("b", key(2).hex(), at(2), 0),
    ]
    assert [(one["state"], one["attempts"]) for one in results] == [("leased", 3), ("waiting", 1)]
    assert results[0]["again_at"] == "1970-01-01T00:00:09.000000Z"
    assert [one.parked for one in watching.watch()] == [2]
    assert holding.parked_count(row.pk) == 2
    assert api.get(f"{BILLING}/parked?cursor=%00").status_code == 400
    assert api.get(f"{BILLING}/parked?limits=1").status_code == 400


def test_where_nothing_is_leased(api: Any, orders: Any) -> None:
    subscribe(mode="cursor")
    assert api.get(f"{BILLING}/dead-letters").json()["results"] == []
    for action, body in (("dead-letters/redrive", {"all": True}), ("skip", {"id": "0" * 24})):
        assert _type(_post(api, f"{BILLING}/{action}", **body)) == (409, "wrong-mode")


def test_what_ended_undelivered(api: Any, orders: Any, store: Any) -> None:
    store(1, 2, 3)
    row = subscribe()
    give(row, [1], State.DEAD, why="given back")
    _post(api, f"{BILLING}/seek", to="latest")
    address = f"{BILLING}/undelivered"

    page = api.get(f"{address}?limit=1").json()
    ((sought,), (died,)) = page["results"], api.get(page["next"]).json()["results"]
    assert (sought["cause"], sought["after"], sought["upto"], sought["messages"]) == (
        "seek",
        at(1),
        at(3),
        2,
    )
    assert (died["cause"], died["why"], died["after"], died["upto"]) == ("dead", "given back", None, at(1))
    assert api.get(address, {"since": sought["at"]}).json()["results"] == [sought]
    assert Undelivered.objects.count() == 1
    far_off = cursors.encode("2026-01-01T00:00:00+23:59 r 1")
    for bad in ("YQ", "MjAyNi0wMS0wMSByIDE", far_off):
        assert api.get(f"{address}?cursor={bad}").status_code == 400


@pytest.fixture
def shop(operator: Any) -> APIClient:
    """May manage orders, and nothing else."""
    client = APIClient()
    key = tokens.make("shop", operator, parse([{"scope": "manage", "channels": ["orders"]}]))[1]
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
    return client


CALLS: list[tuple[str, str, dict[str, Any]]] = [
    ("get", "", {}),
    ("patch", "", {"delay_seconds": 1}),
    ("delete", "", {}),
    ("post", "/seek", {"to": "earliest"}),
    ("get", "/size", {}),
    ("post", "/pause", {}),
    ("post", "/resume", {}),
    ("get", "/dead-letters", {}),
    ("post", "/dead-letters/redrive", {"all": True}),
    ("post", "/dead-letters/drop", {"all": True}),
    ("post", "/skip", {"id": "0" * 24}),
    ("get", "/undelivered", {}),
    ("get", "/parked", {}),
]


@pytest.mark.parametrize(("method", "action", "body"), CALLS)
def test_of_other_channels_nothing_is_told(
    shop: APIClient, api: Any, orders: Any, method: str, action: str, body: Any
) -> None:
    """Not even which names there are."""
    channels.start("secret", listen=False)
    _post(api, **{**NEW, "name": "hidden", "channel": "secret"})
    said = [
        getattr(shop, method)(f"{SUBSCRIPTIONS}/{name}{action}", body, format="json")
        for name in ("hidden", "nobody")
    ]
    assert [one.status_code for one in said] == [403, 403]
    assert said[0].json()["detail"].replace("hidden", "nobody") == said[1].json()["detail"]
    assert getattr(api, method)(f"{SUBSCRIPTIONS}/nobody{action}", body, format="json").status_code == 404


def test_its_own_are_its_own(shop: APIClient, api: Any, orders: Any) -> None:
    channels.start("secret", listen=False)
    _post(api, **{**NEW, "name": "hidden", "channel": "secret"})
    assert _post(shop, **NEW).status_code == 201
    assert _post(shop, **{**NEW, "name": "x", "channel": "secret"}).status_code == 403
    assert _post(shop, **{**NEW, "name": "x", "channel": "never"}).status_code == 403
    page = shop.get(SUBSCRIPTIONS).json()
    assert (page["count"], [row["name"] for row in page["results"]]) == (1, ["billing"])
    assert shop.get(f"{SUBSCRIPTIONS}?channel=secret").status_code == 403
    assert shop.delete(BILLING).status_code == 204


def test_who_may_read_may_look_and_no_more(operator: Any, orders: Any) -> None:
    subscribe()
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make('reader', operator, 'consume')[1]}")
    for method, action, body in CALLS:
        answer = getattr(client, method)(f"{BILLING}{action}", body, format="json")
        assert answer.status_code == (200 if method == "get" else 403), action


def test_the_user_needs_a_permission_for_each(django_user_model: Any, orders: Any) -> None:
    subscribe()
    user = django_user_model.objects.create_user("clerk")
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens.make('clerk', user, 'manage')[1]}")
    needed = {"get": "view", "patch": "change", "post": "change", "delete": "delete"}
    for method, action, body in sorted(CALLS, key=lambda call: call[0] == "delete"):
        call = getattr(client, method)
        assert call(f"{BILLING}{action}", body, format="json").status_code == 403
        user.user_permissions.set(
            Permission.objects.filter(codename=f"{needed[method]}_subscription"), clear=True
        )
        assert call(f"{BILLING}{action}", body, format="json").status_code != 403, action
        user.user_permissions.clear()
    assert client.post(SUBSCRIPTIONS, NEW, format="json").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="add_subscription"))
    assert client.post(SUBSCRIPTIONS, NEW, format="json").status_code == 201
