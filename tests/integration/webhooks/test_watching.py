"""What operators see of endpoints: metrics."""

from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from access_app.models import AuditEntry
from channels_app.models import Channel
from relayproject.observing import endpoints
from relayproject.observing.endpoints import of_endpoints
from subscribers_app.measuring import measuring
from webhooks_app import registration
from webhooks_app.models import Endpoint, Webhook
from webhooks_app.watching import Endpoints, Watched

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Samples = dict[tuple[str, ...], float]


def metrics(api: Any) -> Samples:
    """By name, without what all begin with, and the values of the labels."""
    measuring().forget()
    answer = api.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name.removeprefix("relay_"), *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.content.decode())
        for sample in family.samples
    }


def test_endpoints_are_counted_by_state_and_by_breaker(api: Any, operator: Any, pushed: Webhook) -> None:
    for name, state, breaker in (
        ("a", "active", "closed"),
        ("b", "active", "open"),
        ("c", "active", "half-open"),
        ("d", "disabled", "open"),
    ):
        Endpoint.objects.create(name=name, owner=operator, url=name, state=state, breaker=breaker)
    found = metrics(api)

    assert {state: found["endpoints", state] for state in Endpoint.State.values} == {
        "pending": 1,
        "active": 3,
        "disabled": 1,
    }
    assert {breaker: found["endpoints_breaker", breaker] for breaker in Endpoint.Breaker.values} == {
        "closed": 1,
        "open": 1,
        "half-open": 1,
    }
    is_open = {name: found["endpoint_breaker_open", name] for name in ("a", "b", "c", "d", "billing")}
    assert is_open == {"a": 0, "b": 1, "c": 1, "d": 0, "billing": 0}


def test_since_when_one_fails_is_told_while_it_is_active(api: Any, pushed: Webhook) -> None:
    since = int(Channel.objects.now().timestamp() * 1000) - 90_000
    Endpoint.objects.update(state="active", failing_since=since)
    assert 89 < metrics(api)["endpoint_failing_seconds", "billing"] < 120
    Endpoint.objects.update(state="disabled")
    assert metrics(api)["endpoint_failing_seconds", "billing"] == 0


def test_one_that_a_sender_disables_is_told_until_somebody_decides(api: Any, pushed: Webhook) -> None:
    Endpoint.objects.update(state="active", confirmed_at=Channel.objects.now())
    assert metrics(api)["endpoint_given_up", "billing"] == 0

    def given_up() -> float:
        row = Endpoint.objects.get()
        assert registration.disable_by_sender(row.pk, row.revision, "It is gone.")
        return metrics(api)["endpoint_given_up", "billing"]

    assert given_up() == 1
    registration.enable("billing")
    assert metrics(api)["endpoint_given_up", "billing"] == 0
    assert given_up() == 1
    registration.disable("billing", "We know.")
    assert metrics(api)["endpoint_given_up", "billing"] == 0
    assert AuditEntry.objects.filter(action="endpoint disabled").count() == 3


def test_a_pushed_subscription_is_not_called_idle_and_waits_with_its_endpoint(
    api: Any, pushed: Webhook
) -> None:
    found = metrics(api)
    assert ("subscription_idle_seconds", "billing") not in found
    assert found["subscription_active", "billing"] == 0
    Endpoint.objects.update(state="active")
    assert metrics(api)["subscription_active", "billing"] == 1


def test_beyond_the_first_ones_the_worst_is_told_of_all_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoints, "NAMED", 1)
    each = [
        Watched("a", is_open=False, is_given_up=False, failing_seconds=None),
        Watched("b", is_open=True, is_given_up=False, failing_seconds=3.0),
        Watched("c", is_open=False, is_given_up=True, failing_seconds=5.0),
    ]
    found = {
        (family.name, *sample.labels.values()): sample.value
        for family in of_endpoints(Endpoints({}, {}, each))
        for sample in family.samples
    }
    assert found == {
        ("relay_endpoint_breaker_open", "a"): 0,
        ("relay_endpoint_breaker_open", ""): 1,
        ("relay_endpoint_failing_seconds", "a"): 0,
        ("relay_endpoint_failing_seconds", ""): 5,
        ("relay_endpoint_given_up", "a"): 0,
        ("relay_endpoint_given_up", ""): 1,
    }
