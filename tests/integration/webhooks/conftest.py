"""A channel, a subscription of it, and where it is pushed to."""

from typing import Any

import pytest

from channels_app import registration as channels
from relaycore.delivering.beginning import parse
from subscribers_app import registration
from subscribers_app.models import Subscription
from webhooks_app.models import Endpoint, EndpointSecret, Webhook


@pytest.fixture
def orders(db: None, relay_keys: Any, archive: Any) -> Any:
    """The channel "orders", to which nobody listens."""
    return channels.start("orders", listen=False)


@pytest.fixture
def pushed(operator: Any, orders: Any) -> Webhook:
    """A subscription of it, "billing", whose endpoint has the same name."""
    row = registration.create("billing", "orders", "lease", parse("earliest"))
    Subscription.objects.filter(pk=row.pk).update(kind=Subscription.Kind.WEBHOOK)
    endpoint = Endpoint.objects.create(name="billing", owner=operator, url="https://example.org/hook")
    EndpointSecret.objects.create(endpoint=endpoint, kind=EndpointSecret.Kind.SYMMETRIC, value=b"x")
    return Webhook.objects.create(subscription=row, endpoint=endpoint)
