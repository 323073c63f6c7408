"""Endpoints, webhooks, and a sender in a thread."""

import itertools
from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.fernet import Fernet

from leases_app.models import Lease
from relaybase.postgres.encrypting import encrypt
from relaycore.delivering.beginning import parse
from subscribers_app import registration
from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import channel, client, web
from tests.integration.sending.endpoints import Endpoints, Place
from tests.loops import Loop
from webhooks_app.models import Endpoint, EndpointSecret, Webhook
from webhooks_app.sending.sender import send
from webhooks_app.signing import new_shared

__all__ = ["channel", "client", "web"]

_names = itertools.count()


@pytest.fixture
def endpoint(db: None, operator: Any) -> Callable[..., Endpoint]:
    """Makes one that is confirmed."""

    def make(url: str, **fields: Any) -> Endpoint:
        name = f"endpoint-{next(_names)}"
        fields = {"state": Endpoint.State.ACTIVE, **fields}
        row = Endpoint.objects.create(name=name, owner=operator, url=url, **fields)
        EndpointSecret.objects.create(endpoint=row, kind="v1", value=encrypt(new_shared().encode()))
        return row

    return make


@pytest.fixture
def hook(endpoint: Callable[..., Endpoint]) -> Callable[..., Subscription]:
    """Makes a webhook of a channel, from its first message on."""

    def make(channel: str, to: Endpoint | str, **fields: Any) -> Subscription:
        row = to if isinstance(to, Endpoint) else endpoint(to)
        own = {name: fields.pop(name) for name in ("order", "max_outstanding", "filter") if name in fields}
        made = registration.create(
            f"hook-{next(_names)}", channel, Subscription.Mode.LEASE, parse("earliest"), **own
        )
        Subscription.objects.filter(pk=made.pk).update(kind=Subscription.Kind.WEBHOOK)
        Webhook.objects.create(subscription=made, endpoint=row, **{"format": "raw", **fields})
        made.refresh_from_db()
        return made

    return make


@pytest.fixture(autouse=True)
def _keys(settings: Any) -> None:
    settings.RELAY_ENCRYPTION_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def sender(settings: Any, db: None) -> Iterator[Loop]:
    settings.RELAY_WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    loop = Loop(lambda stopping: send(0, stopping))
    yield loop
    loop.stop()


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with Endpoints() as made:
        yield made


@pytest.fixture
def place(endpoints: Endpoints) -> Place:
    """An endpoint that takes everything, until its manner is another one."""
    return endpoints.place()


def sender_lease() -> Lease:
    return Lease.objects.get(role=Lease.Role.SENDER, partition=0)
