"""A channel, a subscription of it, and where it is pushed to."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app import tokens
from channels_app import registration as channels
from relaybase.postgres.encrypting import encrypt
from relaycore.delivering.beginning import parse
from relaycore.rights import parse as grants
from subscribers_app import registration
from subscribers_app.models import Subscription
from tests.integration.access.conftest import permission
from tests.integration.webhooks.receiver import Receiver, receiving
from webhooks_app.confirming.requesting import request
from webhooks_app.models import Challenge, Endpoint, EndpointSecret, Webhook
from webhooks_app.signing import new_shared

PUBLIC = "https://relay.example.org"


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
    kept = encrypt(new_shared().encode())
    EndpointSecret.objects.create(endpoint=endpoint, kind=EndpointSecret.Kind.SYMMETRIC, value=kept)
    return Webhook.objects.create(subscription=row, endpoint=endpoint)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """Somebody at an address that may be asked here, while the site says where it is."""
    settings.RELAY_WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    settings.RELAY_PUBLIC_URL = PUBLIC
    with receiving() as found:
        yield found


@pytest.fixture
def ask() -> Callable[[], None]:
    """Does what the task does for all that waits to be asked."""

    def run() -> None:
        for number in Challenge.objects.filter(outcome="").values_list("pk", flat=True):
            request(number)

    return run


@pytest.fixture
def stranger(db: None, django_user_model: Any) -> Callable[..., APIClient]:
    """A program of another user, with these grants, who has Django's permissions on subscriptions."""

    def make(*given: dict[str, Any], name: str = "stranger", more: tuple[str, ...] = ()) -> APIClient:
        user = django_user_model.objects.create_user(name)
        labels = [f"subscribers_app.{verb}_subscription" for verb in ("view", "add", "change", "delete")]
        for label in (*labels, *more):
            user.user_permissions.add(permission(label))
        key = tokens.make(name, user, grants(list(given)))[1]
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return client

    return make
