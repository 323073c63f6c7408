"""Endpoints in the admin: made, looked at, and decided about after a look at what that means."""

import re
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from access_app.models import AuditEntry
from channels_app.models import Channel
from relaybase.postgres.encrypting import new_key
from subscribers_app.models import Subscription
from tests.integration.admin.filled import filled
from tests.integration.subscriptions.conftest import store
from tests.integration.webhooks.conftest import orders, pushed, receiver
from tests.integration.webhooks.receiver import Receiver
from tests.unit.webhooks_app.http.certificates import Authority
from webhooks_app import keeping
from webhooks_app.models import Challenge, Endpoint, EndpointSecret, Webhook

__all__ = ["orders", "pushed", "receiver", "store"]

pytestmark = pytest.mark.django_db

LIST = reverse("admin:webhooks_app_endpoint_changelist")
ADD = reverse("admin:webhooks_app_endpoint_add")
URL = "https://example.org/hook/s3cret-path"


def _page(row: Endpoint) -> str:
    return reverse("admin:webhooks_app_endpoint_change", args=[row.pk])


def _at(row: Endpoint, verb: str) -> str:
    return reverse("admin:webhooks_app_endpoint_decide", args=[row.pk, verb])


def _look(browser: Client, row: Endpoint, verb: str, **given: Any) -> str:
    return browser.get(_at(row, verb), {"look": "1", **given}).content.decode()


def _do(browser: Client, row: Endpoint, verb: str, **given: Any) -> str:
    """What is done after it was looked at: what the page has for it."""
    html = _look(browser, row, verb, **given)
    said = html.split("What that would mean</h2>")[1]
    return browser.post(_at(row, verb), filled(said), follow=True).content.decode()


def _make(browser: Client, **changed: Any) -> str:
    said = filled(browser.get(ADD).content.decode(), name="billing", url=URL, signatures=["v1", "v1a"])
    return browser.post(ADD, {**said, **changed}, follow=True).content.decode()


@pytest.fixture
def clerk(django_user_model: Any) -> Client:
    """Somebody who may look at endpoints and change them, and nothing else."""
    user = django_user_model.objects.create_user("clerk", is_staff=True)
    for codename in ("view_endpoint", "add_endpoint", "change_endpoint", "delete_endpoint"):
        user.user_permissions.add(Permission.objects.get(codename=codename))
    client = Client()
    client.force_login(user)
    return client


def test_one_is_made_and_its_secrets_are_shown_once(browser: Client, operator: Any) -> None:
    html = _make(browser, sent_along="Authorization: Bearer t0ken\nX-Team: billing", max_concurrency=3)
    row = Endpoint.objects.get()
    assert (row.owner, row.url, row.state, row.max_concurrency) == (operator, URL, "pending", 3)
    assert keeping.headers_of(row.headers) == {"Authorization": "Bearer t0ken", "X-Team": "billing"}
    (secret,) = re.findall(r"whsec_[\w+/=]+", html)
    (public,) = set(re.findall(r"whpk_[\w+/=]+", html))
    assert EndpointSecret.objects.get(kind="v1a").public == public
    again = browser.get(_page(row)).content.decode()
    for hidden in (secret, "whsk_", "t0ken"):
        assert hidden not in again
    assert public in again
    assert "Authorization, X-Team" in again
    assert "HMAC-SHA256" in again
    entry = AuditEntry.objects.get(action="endpoint created")
    assert (entry.actor, entry.via) == ("operator", "session")
    assert not LogEntry.objects.filter(change_message__contains="whsec_").exists()


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"url": "ftp://example.org"}, "http"),
        ({"url": "http://127.0.0.1/hook"}, "RELAY_WEBHOOK_ALLOWED_NETWORKS"),
        ({"sent_along": "Host: elsewhere"}, "Host"),
        ({"sent_along": "Authorization"}, "One header a line"),
        ({"sent_along": "X-A: 1\nx-a: 2"}, "stands there twice"),
        ({"timeout_seconds": 600}, "less than or equal to 30"),
        ({"name": "with a space"}, "A name has 1 to 100 letters"),
        ({"signatures": []}, "This field is required"),
    ],
)
def test_what_cannot_be_meant_is_said_in_the_form(browser: Client, wrong: Any, why: str) -> None:
    assert why in _make(browser, **wrong)
    assert not Endpoint.objects.exists()


def test_what_is_changed_is_set_and_the_rest_stays(browser: Client, pushed: Webhook) -> None:
    row = pushed.endpoint
    Endpoint.objects.update(headers=keeping.headers_column({"X-Team": "a"}), max_concurrency=5)
    said = filled(browser.get(_page(row)).content.decode(), timeout_seconds="7")
    Endpoint.objects.update(reason="another one")
    browser.post(_page(row), said)
    row.refresh_from_db()
    assert (row.timeout_seconds, row.max_concurrency, row.reason) == (7, 5, "another one")
    assert keeping.headers_of(row.headers) == {"X-Team": "a"}
    stale = browser.post(_page(row), {**said, "timeout_seconds": "9"}, follow=True).content.decode()
    assert "has been changed meanwhile" in stale
    said = filled(browser.get(_page(row)).content.decode(), no_headers="on")
    browser.post(_page(row), said)
    row.refresh_from_db()
    assert (row.timeout_seconds, keeping.headers_of(row.headers)) == (7, {})


def test_the_list_and_the_page_say_how_it_fares(browser: Client, pushed: Webhook) -> None:
    now = Channel.objects.now()
    Endpoint.objects.update(
        state="disabled",
        reason="<b>It is gone</b>",
        is_given_up=True,
        breaker="open",
        breaker_until=int(now.timestamp() * 1000),
        failing_since=1_795_262_400_000,
        last_status=410,
        last_attempt_at=now,
    )
    html = browser.get(LIST).content.decode()
    assert "&lt;b&gt;It is gone&lt;/b&gt;" in html
    assert '<td class="field-subscriptions">1</td>' in html
    assert "410, " in html
    page = browser.get(_page(pushed.endpoint)).content.decode()
    assert "Relay has disabled it: &lt;b&gt;It is gone" in page
    assert "2026-11-21 12:00:00" in page
    assert "billing</a>" in page
    assert "Ask for the confirmation again" not in page
    assert "Relay disables it on" not in page
    Endpoint.objects.update(state="active", failed_at=1_795_262_400_000)
    page = browser.get(_page(pushed.endpoint)).content.decode()
    assert "if it takes nothing, Relay disables it on 2026-11-26 12:00:00" in page


def test_a_test_message_is_sent_after_it_was_said_where(
    browser: Client, operator: Any, receiver: Receiver
) -> None:
    _make(browser, url=receiver.url, confirmation="vouched")
    row = Endpoint.objects.get()
    assert row.state == "active"
    assert not receiver.got
    html = _look(browser, row, "test")
    assert "One request goes to" in html
    assert not receiver.got
    html = _do(browser, row, "test")
    assert len(receiver.got) == 1
    assert "it answered 2" in html
    assert "A test message was sent" in LogEntry.objects.latest("pk").change_message


def test_nothing_is_sent_to_one_that_is_not_confirmed_but_the_question(
    browser: Client, pushed: Webhook
) -> None:
    row = pushed.endpoint
    html = _look(browser, row, "test")
    assert "not confirmed" in html
    assert 'value="Send it"' not in html
    assert "is not confirmed" in browser.post(_at(row, "test")).content.decode()
    assert "It is asked" in _do(browser, row, "ask")
    assert Challenge.objects.count() == 1
    Endpoint.objects.update(state="active")
    assert "nothing to confirm" in _look(browser, row, "ask")


def test_it_is_disabled_with_a_reason_and_enabled_after_a_look_at_what_waits(
    browser: Client, pushed: Webhook, store: Any
) -> None:
    row = pushed.endpoint
    Endpoint.objects.update(state="active", confirmed_at=Channel.objects.now())
    store(1, 2, 3)
    browser.post(_at(row, "disable"), {"reason": "It moves."})
    row.refresh_from_db()
    assert (row.state, row.reason) == ("disabled", "It moves.")
    assert "billing: 3 messages wait, the oldest" in _look(browser, row, "enable", to="here")
    row.refresh_from_db()
    assert row.state == "disabled"
    before = Subscription.objects.get().position
    _do(browser, row, "enable", to="here")
    row.refresh_from_db()
    assert (row.state, row.reason) == ("active", "")
    assert Subscription.objects.get().position == before
    html = _look(browser, row, "enable", to="latest")
    assert "billing: 3 messages are left out, on record" in html
    assert Subscription.objects.get().position == before
    _do(browser, row, "enable", to="latest")
    assert Subscription.objects.get().position > before
    actions = AuditEntry.objects.filter(action__startswith="endpoint ").values_list("action", flat=True)
    assert sorted(actions) == ["endpoint disabled", "endpoint enabled", "endpoint enabled"]


def test_secrets_are_rotated_and_the_new_ones_are_shown_once(browser: Client, pushed: Webhook) -> None:
    row = pushed.endpoint
    assert "sign for 2 hours more" in _look(browser, row, "rotate", overlap_hours="2", kind="")
    assert EndpointSecret.objects.count() == 1
    html = _do(browser, row, "rotate", overlap_hours="2", kind="")
    (secret,) = re.findall(r"whsec_[\w+/=]+", html)
    assert secret not in browser.get(_page(row)).content.decode()
    assert EndpointSecret.objects.signing().count() == 2
    assert "whsec_" not in LogEntry.objects.latest("pk").change_message
    assert "end at once" in _look(browser, row, "rotate", overlap_hours="0", kind="v1")
    _do(browser, row, "rotate", overlap_hours="0", kind="v1")
    assert EndpointSecret.objects.signing().count() == 1


def test_its_page_says_that_its_secret_cannot_be_read(
    browser: Client, pushed: Webhook, settings: Any
) -> None:
    at = _page(pushed.endpoint)
    assert "Nothing can be sent" not in browser.get(at).content.decode()
    settings.RELAY_ENCRYPTION_KEYS = [new_key()]
    assert "Nothing can be sent to it: A secret cannot be decrypted" in browser.get(at).content.decode()


def test_deleting_it_names_its_subscriptions_and_takes_them_along(browser: Client, pushed: Webhook) -> None:
    at = reverse("admin:webhooks_app_endpoint_delete", args=[pushed.endpoint.pk])
    assert "subscription billing" in browser.get(at).content.decode()
    assert Endpoint.objects.exists()
    browser.post(at, {"post": "yes"})
    assert not Endpoint.objects.exists()
    assert not Subscription.objects.exists()


def test_what_is_about_subscriptions_takes_the_permissions_on_them(clerk: Client, pushed: Webhook) -> None:
    row = pushed.endpoint
    assert clerk.get(_page(row)).status_code == 200
    assert clerk.get(_at(row, "enable"), {"look": "1", "to": "latest"}).status_code == 403
    assert clerk.post(_at(row, "enable"), {"to": "latest"}).status_code == 403
    assert clerk.get(_at(row, "enable"), {"look": "1", "to": "here"}).status_code == 200
    said = filled(clerk.get(_page(row)).content.decode(), confirmation="vouched")
    assert "To answer for it you need" in clerk.post(_page(row), said).content.decode()
    at = reverse("admin:webhooks_app_endpoint_delete", args=[row.pk])
    assert clerk.post(at, {"post": "yes"}).status_code == 403
    assert Endpoint.objects.get().state == "pending"


def test_who_may_only_look_decides_nothing(clerk: Client, pushed: Webhook, django_user_model: Any) -> None:
    user = django_user_model.objects.get(username="clerk")
    user.user_permissions.set([Permission.objects.get(codename="view_endpoint")])
    page = clerk.get(_page(pushed.endpoint)).content.decode()
    assert "How it fares" in page
    assert "Rotate…" not in page
    for verb in ("test", "ask", "enable", "disable", "rotate"):
        assert clerk.get(_at(pushed.endpoint, verb)).status_code == 403
        assert clerk.post(_at(pushed.endpoint, verb)).status_code == 403


def test_tls_is_set_and_its_key_is_not_shown(browser: Client) -> None:
    authority = Authority()
    relay, other = authority.issue("relay.test"), authority.issue("relay.test")
    tls = {"ca": authority.pem, "certificate": relay.certificate}
    assert "the key is none of theirs" in _make(browser, **tls, key=other.key)
    assert "begins with https" in _make(browser, **tls, key=relay.key, url="http://example.org/hook")
    assert not Endpoint.objects.exists()
    _make(browser, **tls, key=relay.key)
    row = Endpoint.objects.get()
    html = browser.get(_page(row)).content.decode()
    assert "Relay shows a certificate" in html
    assert "PRIVATE KEY" not in html
    # Browsers end lines in another way than PEM does.
    said = {name: text.replace("\n", "\r\n") for name, text in filled(html, timeout_seconds="7").items()}
    assert browser.post(_page(row), said).status_code == 302
    before, row = row, Endpoint.objects.get()
    assert (row.timeout_seconds, bytes(row.tls_key)) == (7, bytes(before.tls_key))
    said = filled(browser.get(_page(row)).content.decode(), ca="", certificate="")
    browser.post(_page(row), said)
    row.refresh_from_db()
    assert (row.tls_ca, row.tls_certificate, bytes(row.tls_key)) == ("", "", b"")
