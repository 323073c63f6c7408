"""Subscriptions that are pushed: made, shown, changed; and nobody fetches from one."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app.models import AuditEntry
from channels_app import registration as channels
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint, Webhook

pytestmark = pytest.mark.django_db

SUBSCRIPTIONS = "/api/v1/subscriptions"
BILLING = f"{SUBSCRIPTIONS}/billing"
URL = "https://hooks.example.org/relay"
NEW = {"name": "billing", "channel": "orders", "kind": "webhook", "start": "earliest"}
OWN = ("endpoint", "format", "schedule_seconds", "max_age_seconds")


def _post(api: Any, address: str = SUBSCRIPTIONS, **body: Any) -> Any:
    return api.post(address, body, format="json")


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def _own(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[name] for name in OWN)


@pytest.fixture
def billing(api: APIClient, orders: Any) -> dict[str, Any]:
    """One that is pushed to an endpoint of its name."""
    answer = _post(api, **NEW, url=URL)
    assert (answer.status_code, answer["Cache-Control"]) == (201, "no-store")
    row: dict[str, Any] = answer.json()
    return row


def test_a_url_makes_an_endpoint_whose_secret_is_shown_this_once(api: Any, billing: dict[str, Any]) -> None:
    assert billing.pop("secrets")["v1"].startswith("whsec_")
    told = AuditEntry.objects.get(action="subscription created").details
    assert (told["endpoint"], told["format"]) == ("billing", "standard")
    assert _own(billing) == ("billing", "standard", None, None)
    assert (billing["mode"], billing["kind"], billing["state"]) == ("lease", "webhook", "pending")
    assert (billing["ack_deadline_seconds"], billing["max_deliveries"]) == (None, None)
    assert (billing["order"], billing["max_outstanding"]) == ("none", 1000)
    shown = api.get(BILLING).json()
    assert shown | {name: billing[name] for name in ("lag", "rates")} == billing
    assert Endpoint.objects.get().url == URL


def test_the_same_url_is_the_same_endpoint(api: Any, billing: dict[str, Any]) -> None:
    again = _post(api, **{**NEW, "name": "audit"}, url="https://HOOKS.example.org:443/relay").json()
    assert again["endpoint"] == "billing"
    assert "secrets" not in again
    assert _post(api, **{**NEW, "name": "third"}, endpoint="billing").json()["endpoint"] == "billing"
    assert Endpoint.objects.count() == 1


def test_an_endpoint_of_that_name_gets_a_number(api: Any, orders: Any) -> None:
    _post(api, "/api/v1/endpoints", name="billing", url=f"{URL}/other")
    assert _post(api, **NEW, url=URL).json()["endpoint"] == "billing-2"


def test_many_channels_are_many_subscriptions_and_one_endpoint(api: Any, orders: Any) -> None:
    channels.start("refunds", listen=False)
    body = {name: value for name, value in NEW.items() if name != "channel"}
    answer = _post(api, **body, channels=["orders", "refunds"], url=URL, format="raw")
    made = answer.json()
    assert [(row["name"], row["endpoint"]) for row in made["results"]] == [
        *(("billing.1", "billing"), ("billing.2", "billing")),
    ]
    assert made["secrets"]["v1"].startswith("whsec_")
    assert Webhook.objects.count() == 2


def test_all_of_it_is_made_or_nothing(api: Any, orders: Any) -> None:
    _post(api, name="billing", channel="orders", mode="lease", start="latest")
    assert _type(_post(api, **NEW, url=URL)) == (409, "subscription-exists")
    assert _type(_post(api, **{**NEW, "name": "other", "channel": "nothing"}, url=URL))[0] == 404
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "kind", "says"),
    [
        ({}, "bad-subscription", "one of the two"),
        ({"url": URL, "endpoint": "hook"}, "bad-subscription", "one of the two"),
        ({"endpoint": "nothing"}, "endpoint-unknown", "nothing"),
        ({"url": "http://127.0.0.1/"}, "bad-url", "public"),
        ({"url": URL, "mode": "cursor"}, "bad-subscription", "lease"),
        ({"url": URL, "ack_deadline_seconds": 30}, "bad-subscription", "Not for webhooks"),
        ({"url": URL, "max_deliveries": 3}, "bad-subscription", "Not for webhooks"),
        ({"url": URL, "format": "xml"}, "invalid", "format"),
        ({"url": URL, "batch_messages": 10}, "bad-subscription", "one message"),
        ({"url": URL, "format": "ndjson", "batch_messages": 0}, "invalid", "batch_messages"),
        ({"url": URL, "format": "ndjson", "batch_messages": 1001}, "invalid", "batch_messages"),
        ({"url": URL, "format": "ndjson", "order": {"field": "a"}}, "bad-subscription", "by a field"),
        ({"url": URL, "schedule_seconds": []}, "invalid", "schedule_seconds"),
        ({"url": URL, "schedule_seconds": [5, 10]}, "bad-subscription", "begins with 0"),
        ({"url": URL, "schedule_seconds": [0, 86401]}, "invalid", "schedule_seconds"),
        ({"url": URL, "schedule_seconds": [0, "5"]}, "invalid", "schedule_seconds"),
        ({"url": URL, "max_age_seconds": 0}, "invalid", "max_age_seconds"),
        ({"url": URL, "headers": {}}, "invalid", "headers"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_the_reason(
    api: Any, orders: Any, wrong: dict[str, Any], kind: str, says: str
) -> None:
    answer = _post(api, **NEW, **wrong)
    assert _type(answer) == (404 if kind == "endpoint-unknown" else 400, kind)
    assert says in answer.json()["detail"]
    assert not Subscription.objects.exists()
    assert not Endpoint.objects.exists()


def test_many_messages_may_go_together(api: Any, orders: Any) -> None:
    row = _post(api, **NEW, url=URL, format="ndjson", order="channel").json()
    assert (row["format"], row["batch_messages"]) == ("ndjson", 100)
    assert api.patch(BILLING, {"batch_messages": 20}, format="json").json()["batch_messages"] == 20
    row = api.patch(BILLING, {"format": "cloudevents-batch"}, format="json").json()
    assert (row["format"], row["batch_messages"]) == ("cloudevents-batch", 20)
    row = api.patch(BILLING, {"format": "raw"}, format="json").json()
    assert (row["format"], row["batch_messages"]) == ("raw", None)
    assert _type(api.patch(BILLING, {"batch_messages": 5}, format="json")) == (400, "bad-subscription")


def test_in_order_by_a_field_none_go_together(api: Any, orders: Any) -> None:
    _post(api, **NEW, url=URL, order={"field": "customer"})
    answer = api.patch(BILLING, {"format": "ndjson"}, format="json")
    assert _type(answer) == (400, "bad-subscription")
    assert "by a field" in answer.json()["detail"]


def test_it_may_be_in_order_by_a_field_which_is_for_good(api: Any, orders: Any) -> None:
    row = _post(api, **NEW, url=URL, order={"field": "customer"}).json()
    assert row["order"] == {"field": "customer"}
    assert _type(api.patch(BILLING, {"order": "none"}, format="json")) == (400, "bad-subscription")
    assert api.get(f"{BILLING}/parked").json()["results"] == []


@pytest.mark.parametrize("field", ["endpoint", "url", "format", "schedule_seconds"])
def test_what_is_pulled_has_nothing_of_that(api: Any, orders: Any, field: str) -> None:
    body = {"name": "billing", "channel": "orders", "mode": "lease", "start": "latest"}
    assert _type(_post(api, **body, **{field: "x"})) == (400, "invalid")
    assert _type(_post(api, **{**body, "kind": "webhook", "url": URL, "mode": ""})) == (400, "invalid")
    row = _post(api, **body).json()
    assert _own(row) == (None,) * 4
    assert api.patch(BILLING, {field: "x"}, format="json").status_code == 400


def test_its_settings_are_changed_and_that_is_another_revision(api: Any, billing: Any) -> None:
    before, tag = Subscription.objects.get().revision, api.get(BILLING)["ETag"]
    schedule = [0, 5, 60]
    body = {"format": "cloudevents-structured", "schedule_seconds": schedule, "max_age_seconds": 60}
    body |= {"order": "channel"}
    changed = api.patch(BILLING, body, format="json", headers={"If-Match": tag})
    assert _own(changed.json()) == ("billing", "cloudevents-structured", schedule, 60)
    assert changed.json()["order"] == "channel"
    assert changed["ETag"] != tag
    assert Subscription.objects.get().revision == before + 1
    late = api.patch(BILLING, {"format": "raw"}, format="json", headers={"If-Match": tag})
    assert _type(late) == (412, "subscription-changed")
    back = api.patch(BILLING, {"format": "raw", "schedule_seconds": None}, format="json").json()
    assert _own(back) == ("billing", "raw", None, 60)
    for wrong in ({"endpoint": "other"}, {"url": URL}, {"ack_deadline_seconds": 5}, {"max_deliveries": 5}):
        assert api.patch(BILLING, wrong, format="json").status_code == 400
    only = api.patch(BILLING, {"max_age_seconds": None}, format="json")
    assert only["ETag"] != changed["ETag"]


def test_its_state_is_its_own_or_that_of_its_endpoint(api: Any, billing: Any) -> None:
    def shown() -> tuple[str, str | None, list[str]]:
        row = api.get(BILLING).json()
        found = [
            state
            for state in ("pending", "active", "paused", "disabled")
            if api.get(f"{SUBSCRIPTIONS}?state={state}").json()["count"]
        ]
        return row["state"], row["reason"], found

    assert shown() == ("pending", None, ["pending"])
    Endpoint.objects.update(state="active")
    assert shown() == ("active", None, ["active"])
    Endpoint.objects.update(state="disabled", reason="410 Gone")
    assert shown() == ("disabled", "410 Gone", ["disabled"])
    _post(api, f"{BILLING}/pause", reason="holidays")
    assert shown() == ("paused", "holidays", ["paused"])
    _post(api, f"{BILLING}/resume")
    assert shown() == ("disabled", "410 Gone", ["disabled"])


def test_what_is_pulled_is_listed_by_its_own_state(api: Any, billing: Any) -> None:
    _post(api, name="audit", channel="orders", mode="cursor", start="latest")
    assert [row["name"] for row in api.get(f"{SUBSCRIPTIONS}?state=active").json()["results"]] == ["audit"]
    assert api.get(f"{SUBSCRIPTIONS}?kind=webhook").json()["count"] == 1
    assert api.get(SUBSCRIPTIONS).json()["count"] == 2


def test_what_decides_about_messages_works_as_for_others(api: Any, billing: Any) -> None:
    assert _post(api, f"{BILLING}/seek", to="latest").status_code == 200
    assert api.get(f"{BILLING}/size").json()["messages"] == 0
    assert _post(api, f"{BILLING}/dead-letters/redrive", all=True).json()["messages"] == 0
    assert api.get(f"{BILLING}/dead-letters").json()["results"] == []
    assert api.get(f"{BILLING}/undelivered").status_code == 200
    assert _type(_post(api, f"{BILLING}/skip", id="0" * 24)) == (404, "delivery-unknown")
    assert api.delete(BILLING).status_code == 204
    assert (Webhook.objects.count(), Endpoint.objects.count()) == (0, 1)


def test_a_channel_that_is_pushed_is_removed_with_what_is_pushed(api: Any, billing: Any) -> None:
    assert _type(api.delete("/api/v1/channels/orders")) == (409, "channel-has-subscriptions")
    assert api.delete("/api/v1/channels/orders?cascade=true").status_code == 204
    assert not Webhook.objects.exists()
