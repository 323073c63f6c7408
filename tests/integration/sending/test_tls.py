"""An endpoint that asks who comes, and is signed by a CA of its own."""

from collections.abc import Callable, Iterator
from ipaddress import ip_network
from typing import Any

import pytest
from rest_framework.test import APIClient

from access_app.models import AuditEntry
from relaycore.errors import BadEndpoint
from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.flow import topics
from tests.loops import Loop
from tests.unit.webhooks_app.http.certificates import Authority, Issued, server
from webhooks_app import keeping, registration, testing
from webhooks_app.models import Endpoint

KNOWN = "/api/v1/endpoints/known"

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def relay(authority: Authority) -> Issued:
    """As whom Relay comes."""
    return authority.issue("relay.test")


@pytest.fixture
def closed(authority: Authority, settings: Any) -> Iterator[Endpoints]:
    """Endpoints that talk to those alone whom their CA has signed."""
    settings.RELAY_WEBHOOK_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    with Endpoints(server(authority.issue("127.0.0.1"), clients_of=authority)) as found:
        yield found


def _tls(authority: Authority, issued: Issued) -> dict[str, str]:
    return {"ca": authority.pem, "certificate": issued.certificate, "key": issued.key}


def test_it_is_sent_to_with_the_certificate_and_not_without(
    client: Client,
    writer: Any,
    operator: Any,
    hook: Callable[..., Subscription],
    closed: Endpoints,
    sender: Loop,
    authority: Authority,
    relay: Issued,
    wait_until: Any,
) -> None:
    (channel,) = topics(1)
    known, stranger = closed.place(), closed.place()
    vouched: Any = {"confirmation": "vouched"}
    first, _ = registration.create("known", operator, url=known.url, tls=_tls(authority, relay), **vouched)
    second, _ = registration.create(
        "stranger", operator, url=stranger.url, tls={"ca": authority.pem}, **vouched
    )
    hook(channel, first)
    refused = hook(channel, second, schedule_seconds=[0])
    client.publish(channel, "hello")
    wait_until(lambda: known.texts == {"hello"})
    wait_until(lambda: Delivery.objects.filter(subscription=refused, state="dead").exists())
    assert not stranger.came
    assert testing.try_out(first)["status"] == 204
    assert testing.try_out(second)["status"] is None


def test_its_key_is_kept_encrypted_and_never_shown(
    api: APIClient, closed: Endpoints, authority: Authority, relay: Issued
) -> None:
    body = {"name": "known", "url": closed.place().url, "tls": _tls(authority, relay)}
    made = api.post("/api/v1/endpoints", body, format="json").json()
    row = Endpoint.objects.get()
    assert made["tls"]["certificate"] == relay.certificate.strip()
    assert made["tls"]["expires_at"]
    assert "PRIVATE KEY" not in str(made)
    assert b"PRIVATE KEY" not in bytes(row.tls_key)
    assert AuditEntry.objects.get(action="endpoint created").details["tls"] == ["ca", "certificate", "key"]
    # The same certificate without a key keeps it.
    same = {"ca": authority.pem, "certificate": relay.certificate.replace("\n", "\r\n")}
    assert api.patch(KNOWN, {"tls": same}, format="json").status_code == 200
    Endpoint.objects.update(confirmed_at=row.created_at)
    row.refresh_from_db()
    assert testing.try_out(row)["status"] == 204
    assert keeping.encrypt_all_anew().count == 2
    assert api.patch(KNOWN, {"tls": {"password": ""}}, format="json").status_code == 400
    assert api.patch(KNOWN, {"tls": None}, format="json").json()["tls"] is None
    row.refresh_from_db()
    assert (row.tls_ca, row.tls_certificate, bytes(row.tls_key)) == ("", "", b"")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda tls, other: {**tls, "ca": "nothing"}, "no certificates in PEM"),
        (lambda tls, other: {**tls, "key": other.key}, "the key is none of theirs"),
        (lambda tls, other: {**tls, "key": ""}, "belong together"),
        (lambda tls, other: {"key": tls["key"]}, "belong together"),
        (lambda tls, other: {**tls, "certificate": tls["certificate"] + tls["key"]}, 'into "key" alone'),
        (lambda tls, other: {**tls, "certificate": other.certificate, "key": other.key}, "has run out"),
    ],
)
def test_what_cannot_be_meant_is_said_without_what_was_given(
    operator: Any, authority: Authority, relay: Issued, change: Any, why: str
) -> None:
    tls = change(_tls(authority, relay), authority.issue("relay.test", days=-1))
    with pytest.raises(BadEndpoint, match=why) as refused:
        registration.create("known", operator, url="https://example.org/", tls=tls)
    assert "BEGIN" not in str(refused.value)
    assert not Endpoint.objects.exists()


def test_without_tls_there_is_none_to_set(operator: Any, authority: Authority) -> None:
    with pytest.raises(BadEndpoint, match="begins with https"):
        registration.create("known", operator, url="http://example.org/", tls={"ca": authority.pem})
    registration.create("known", operator, url="https://example.org/", tls={"ca": authority.pem})
    with pytest.raises(BadEndpoint, match="begins with https"):
        registration.change("known", url="http://example.org/")
