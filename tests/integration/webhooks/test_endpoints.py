"""Endpoints by HTTP: made, shown, changed, rotated, deleted."""

import base64
import json
import threading
import time
from typing import Any

import pytest

from access_app.models import AuditEntry
from relaybase.postgres import encrypting
from relaybase.postgres.encrypting import decrypt
from relaycore.errors import BadEndpoint
from subscribers_app.models import Subscription
from tests.conftest import InThread
from tests.integration.webhooks.receiver import Got, Receiver
from webhooks_app import keeping, registration, tasks, testing
from webhooks_app.confirming import asking
from webhooks_app.models import Challenge, Endpoint, EndpointSecret

pytestmark = pytest.mark.django_db

ENDPOINTS = "/api/v1/endpoints"
HOOK = f"{ENDPOINTS}/hook"
NEW = {"name": "hook", "url": "https://hooks.example.org/relay?key=s3cret"}
HEADERS = {"Authorization": "Bearer s3cret"}


def _post(api: Any, address: str = ENDPOINTS, **body: Any) -> Any:
    return api.post(address, body, format="json")


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_an_endpoint_is_made_and_its_secret_is_shown_this_once(api: Any) -> None:
    answer = _post(api, **NEW, headers=HEADERS)
    row = answer.json()
    assert (answer.status_code, answer["Location"]) == (201, row["address"])
    assert answer["Cache-Control"] == "no-store"
    secret = row.pop("secrets")["v1"]
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert (row["state"], row["confirmed_at"], row["confirmation"]) == ("pending", None, "challenge")
    assert (row["timeout_seconds"], row["max_concurrency"], row["max_per_second"]) == (15, 8, None)
    assert row["header_names"] == ["Authorization"]
    assert [one["kind"] for one in row["signatures"]] == ["v1"]
    again = api.get(HOOK)
    assert again.json() == row
    assert again["ETag"] == answer["ETag"]
    for shown in (again, api.get(ENDPOINTS)):
        assert secret not in shown.content.decode()
        assert "Bearer" not in shown.content.decode()
    entry = AuditEntry.objects.get(action="endpoint created")
    assert (entry.target, entry.actor) == ("hook", "operator")
    assert "s3cret" not in str(entry.details)


def test_what_is_secret_stands_encrypted(api: Any) -> None:
    secret = _post(api, **NEW, headers=HEADERS).json()["secrets"]["v1"]
    row = Endpoint.objects.get()
    kept = bytes(EndpointSecret.objects.get().value)
    assert decrypt(kept).decode() == secret
    assert secret.encode() not in kept
    assert b"s3cret" not in bytes(row.headers)
    assert keeping.headers_of(row.headers) == HEADERS


def test_without_a_key_no_endpoint_is_made_and_it_is_said_how_to_make_one(api: Any, settings: Any) -> None:
    settings.RELAY_ENCRYPTION_KEYS = []
    answer = _post(api, **NEW)
    assert _type(answer) == (503, "no-encryption-key")
    assert "manage.py endpoints key" in answer.json()["detail"]
    assert not Endpoint.objects.exists()


def test_a_public_key_is_always_shown_and_a_private_one_never(api: Any) -> None:
    made = _post(api, **NEW, signatures=["v1a"]).json()
    public = made["secrets"]["v1a"]
    assert public.startswith("whpk_")
    assert [(one["kind"], one["public"]) for one in api.get(HOOK).json()["signatures"]] == [("v1a", public)]
    assert decrypt(EndpointSecret.objects.get().value).startswith(b"whsk_")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        ({"url": "http://127.0.0.1/"}, "bad-url"),
        ({"url": "http://[::1]:8000/"}, "bad-url"),
        ({"url": "http://169.254.169.254/latest/meta-data"}, "bad-url"),
        ({"url": "http://localhost/"}, "bad-url"),
        ({"url": "http://2130706433/"}, "bad-url"),
        ({"url": "https://user:secret@example.org/"}, "bad-url"),
        ({"url": "ftp://example.org/"}, "bad-url"),
        ({"url": ""}, "bad-url"),
        ({"headers": {"Host": "example.com"}}, "bad-headers"),
        ({"headers": {"X": "a\r\nB: c"}}, "bad-headers"),
        ({"headers": {"webhook-id": "1"}}, "bad-headers"),
        ({"headers": {"X": 1}}, "invalid"),
        ({"name": "two words"}, "bad-endpoint"),
        ({"name": ".."}, "bad-endpoint"),
        ({"confirmation": "options"}, "bad-endpoint"),
        ({"confirmation": "none"}, "invalid"),
        ({"timeout_seconds": 31}, "invalid"),
        ({"timeout_seconds": "15"}, "invalid"),
        ({"max_concurrency": 0}, "invalid"),
        ({"max_per_second": 0}, "invalid"),
        ({"max_per_second": "1"}, "invalid"),
        ({"signatures": []}, "invalid"),
        ({"signatures": ["v1", "v1"]}, "invalid"),
        ({"signatures": ["v2"]}, "invalid"),
        ({"state": "active"}, "invalid"),
    ],
    ids=str,
)
def test_what_cannot_be_meant_is_refused_with_the_reason(api: Any, wrong: dict[str, Any], kind: str) -> None:
    answer = _post(api, **{**NEW, **wrong})
    assert _type(answer) == (400, kind)
    assert "s3cret" not in answer.content.decode()
    assert not Endpoint.objects.exists()


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"nan"'])
def test_what_is_no_number_is_none(api: Any, operator: Any, number: str) -> None:
    body = json.dumps(NEW)[:-1] + f', "max_per_second": {number}}}'
    assert api.post("/api/v1/endpoints", body, content_type="application/json").status_code == 400
    with pytest.raises(BadEndpoint, match="max_per_second"):
        registration.create("hook", operator, ["v1"], url=NEW["url"], max_per_second=float(number.strip('"')))
    assert not Endpoint.objects.exists()


def test_one_url_has_one_endpoint_of_an_owner(api: Any) -> None:
    assert _post(api, **NEW).status_code == 201
    assert _type(_post(api, **NEW)) == (409, "endpoint-exists")
    same = _post(api, name="other", url="HTTPS://Hooks.Example.org:443/relay?key=s3cret")
    assert _type(same) == (409, "endpoint-exists")
    assert '"hook"' in same.json()["detail"]


def test_a_changed_url_is_pending_again(api: Any) -> None:
    _post(api, **NEW)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z", breaker="open", failing_since=1)
    same = api.patch(HOOK, {"timeout_seconds": 5, "headers": HEADERS}, format="json").json()
    assert (same["state"], same["timeout_seconds"], same["header_names"]) == ("active", 5, ["Authorization"])
    other = api.patch(HOOK, {"url": "https://hooks.example.org/other"}, format="json").json()
    assert (other["state"], other["confirmed_at"], other["breaker"]) == ("pending", None, "closed")
    assert other["failing_since"] is None
    assert Challenge.objects.filter(url=other["url"]).count() == 1


def test_one_that_is_disabled_stays_so_with_another_url(api: Any) -> None:
    _post(api, **NEW)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    _post(api, f"{HOOK}/disable", reason="too loud")
    other = api.patch(HOOK, {"url": "https://hooks.example.org/other"}, format="json").json()
    assert (other["state"], other["reason"], other["confirmed_at"]) == ("disabled", "too loud", None)
    assert not Challenge.objects.filter(url=other["url"]).exists()
    assert _post(api, f"{HOOK}/enable").json()["state"] == "pending"
    assert Challenge.objects.filter(url=other["url"]).count() == 1


def test_each_change_is_another_revision(api: Any) -> None:
    _post(api, **NEW)
    seen = {Endpoint.objects.get().revision}
    for body in ({"timeout_seconds": 5}, {"headers": {}}, {"max_per_second": 1.5}, {"url": "https://e.org"}):
        assert api.patch(HOOK, body, format="json").status_code == 200
        seen.add(Endpoint.objects.get().revision)
    for action in ("rotate", "disable", "enable"):
        assert _post(api, f"{HOOK}/{action}").status_code == 200
        seen.add(Endpoint.objects.get().revision)
    assert len(seen) == 8


def test_nothing_is_changed_by_who_has_seen_an_older_one(api: Any) -> None:
    tag = _post(api, **NEW)["ETag"]
    first = api.patch(HOOK, {"timeout_seconds": 5}, format="json", headers={"If-Match": tag})
    assert first.status_code == 200
    for refused in (
        api.patch(HOOK, {"timeout_seconds": 6}, format="json", headers={"If-Match": tag}),
        api.delete(HOOK, headers={"If-Match": tag}),
    ):
        assert _type(refused) == (412, "endpoint-changed")
    assert Endpoint.objects.get().timeout_seconds == 5
    # What cannot be meant is said first.
    for url in ("", "x", 1, None):
        wrong = api.patch(HOOK, {"url": url}, format="json", headers={"If-Match": tag})
        assert wrong.status_code == 400


def test_a_rotated_secret_signs_for_a_day_more(api: Any) -> None:
    old = _post(api, **NEW).json()["secrets"]["v1"]
    answer = _post(api, f"{HOOK}/rotate")
    new = answer.json()["secrets"]["v1"]
    assert answer["Cache-Control"] == "no-store"
    assert new != old
    shown = api.get(HOOK).json()["signatures"]
    assert [one["ends_at"] is None for one in shown] == [True, False]
    endpoint = Endpoint.objects.get()
    assert len(keeping.signing(endpoint)) == 2
    EndpointSecret.objects.exclude(ends_at=None).update(ends_at="2026-01-01T00:00Z")
    assert len(keeping.signing(endpoint)) == 1
    assert len(api.get(HOOK).json()["signatures"]) == 1


def test_a_second_rotation_lets_nothing_end_sooner_or_later(api: Any) -> None:
    _post(api, **NEW)
    _post(api, f"{HOOK}/rotate", overlap_seconds=7200)
    (ends,) = EndpointSecret.objects.exclude(ends_at=None).values_list("ends_at", flat=True)
    for overlap in (60, 86_400):
        _post(api, f"{HOOK}/rotate", overlap_seconds=overlap)
    oldest = EndpointSecret.objects.order_by("pk").first()
    assert oldest is not None
    assert oldest.ends_at == ends
    assert EndpointSecret.objects.signing().count() == 4


def test_what_has_ended_is_deleted_by_itself(api: Any, monkeypatch: Any) -> None:
    _post(api, **NEW)
    _post(api, f"{HOOK}/rotate")
    monkeypatch.setattr(tasks._Own, "forgot_at", float("-inf"))
    tasks.forget_secrets()
    assert EndpointSecret.objects.count() == 2
    EndpointSecret.objects.exclude(ends_at=None).update(ends_at="2026-01-01T00:00Z")
    tasks.forget_secrets()
    assert EndpointSecret.objects.count() == 2, "not looked at each time"
    tasks._Own.forgot_at = float("-inf")
    tasks.forget_secrets()
    assert EndpointSecret.objects.get().ends_at is None


def test_a_leaked_secret_ends_at_once(api: Any) -> None:
    _post(api, **NEW, signatures=["v1", "v1a"])
    assert set(_post(api, f"{HOOK}/rotate", kind="v1", overlap_seconds=0).json()["secrets"]) == {"v1"}
    assert sorted(one["kind"] for one in api.get(HOOK).json()["signatures"]) == ["v1", "v1a"]


def test_no_more_secrets_sign_at_once_than_a_request_can_bear(api: Any) -> None:
    _post(api, **NEW)
    answers = [_post(api, f"{HOOK}/rotate").status_code for _ in range(keeping.MOST_SIGNING)]
    assert answers == [200] * (keeping.MOST_SIGNING - 1) + [400]
    assert _post(api, f"{HOOK}/rotate", overlap_seconds=0).status_code == 200


def test_one_that_is_used_is_deleted_only_with_its_subscriptions(api: Any, orders: Any) -> None:
    _post(api, **NEW)
    body = {"name": "billing", "channel": "orders", "kind": "webhook", "endpoint": "hook", "start": "latest"}
    assert _post(api, "/api/v1/subscriptions", **body).status_code == 201
    assert api.get(HOOK).json()["subscriptions"] == 1
    assert _type(api.delete(HOOK)) == (409, "endpoint-in-use")
    assert api.delete(f"{HOOK}?cascade=true").status_code == 204
    assert not Subscription.objects.exists()
    assert _type(api.get(HOOK)) == (404, "endpoint-unknown")
    done = set(AuditEntry.objects.values_list("action", flat=True))
    assert done >= {"endpoint deleted", "subscription deleted"}


def test_one_that_is_disabled_goes_on_where_it_is_said(api: Any, orders: Any) -> None:
    _post(api, **NEW)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    body = {"name": "billing", "channel": "orders", "kind": "webhook", "endpoint": "hook"}
    _post(api, "/api/v1/subscriptions", **body, start="earliest")
    disabled = _post(api, f"{HOOK}/disable", reason="too loud").json()
    assert (disabled["state"], disabled["reason"]) == ("disabled", "too loud")
    before = Subscription.objects.get()
    Endpoint.objects.update(breaker="open", breaker_until=1, breaker_failures=9, failing_since=1, failed_at=1)
    here = _post(api, f"{HOOK}/enable").json()
    assert (here["state"], here["reason"], here["breaker"], here["failing_since"]) == (
        *("active", None, "closed", None),
    )
    assert Subscription.objects.get().generation == before.generation
    _post(api, f"{HOOK}/disable")
    assert _post(api, f"{HOOK}/enable", **{"from": "latest"}).json()["state"] == "active"
    after = Subscription.objects.get()
    assert after.generation > before.generation
    assert after.position > before.position
    assert _type(_post(api, f"{HOOK}/enable", **{"from": "earliest"})) == (400, "invalid")


def test_one_that_was_never_confirmed_is_pending_when_it_is_enabled(api: Any) -> None:
    _post(api, **NEW)
    _post(api, f"{HOOK}/disable")
    assert _post(api, f"{HOOK}/enable").json()["state"] == "pending"
    assert Challenge.objects.count() == 2


def test_a_sender_disables_what_it_knows_and_nothing_newer(api: Any) -> None:
    _post(api, **NEW)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    row = Endpoint.objects.get()
    assert not registration.disable_by_sender(row.pk, row.revision - 1, "gone")
    assert registration.disable_by_sender(row.pk, row.revision, "gone")
    shown = api.get(HOOK).json()
    assert (shown["state"], shown["reason"]) == ("disabled", "gone")
    entry = AuditEntry.objects.get(action="endpoint disabled")
    assert (entry.actor, entry.via, entry.target) == ("relay", "sender", "hook")
    assert not registration.disable_by_sender(row.pk, row.revision + 1, "gone")


def test_a_test_shows_what_is_answered_once_it_is_confirmed(api: Any, receiver: Receiver) -> None:
    _post(api, name="hook", url=receiver.url, headers=HEADERS)
    assert _type(_post(api, f"{HOOK}/test")) == (409, "not-confirmed")
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    receiver.answer = lambda _: (418, {}, b"no coffee \xff")
    answer = _post(api, f"{HOOK}/test").json()
    assert (answer["status"], answer["failure"], answer["body"]) == (418, None, "no coffee �")
    (got,) = receiver.got
    assert got.json["type"] == "relay.test"
    assert got.headers["authorization"] == "Bearer s3cret"
    assert got.headers["webhook-signature"].startswith("v1,")
    assert api.get(HOOK).json()["last_status"] is None


def test_no_more_are_tried_out_at_once_than_the_web_can_bear(
    api: Any, receiver: Receiver, in_thread: InThread, wait_until: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(asking, "PER_HOST", 100)
    _post(api, name="hook", url=receiver.url)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    row, go_on = Endpoint.objects.get(), threading.Event()

    def held(_: Got) -> tuple[int, dict[str, str], bytes]:
        go_on.wait(10)
        return 204, {}, b""

    receiver.answer = held
    signers = keeping.signing(row)
    monkeypatch.setattr(keeping, "signing", lambda _: signers)
    monkeypatch.setattr(asking, "take_a_turn", lambda *_, **__: None)
    tried = [in_thread(lambda: testing.try_out(row)) for _ in range(testing.AT_ONCE)]
    wait_until(lambda: len(receiver.got) == testing.AT_ONCE)
    refused = _post(api, f"{HOOK}/test")
    assert _type(refused) == (503, "not-tried")
    assert refused["Retry-After"]
    go_on.set()
    assert [one.result(10)["status"] for one in tried] == [204] * testing.AT_ONCE
    assert _post(api, f"{HOOK}/test").json()["status"] == 204


def test_a_test_waits_for_nobody_for_long(api: Any, receiver: Receiver, monkeypatch: Any) -> None:
    monkeypatch.setattr(testing, "MOST_SECONDS", 0.2)
    _post(api, name="hook", url=receiver.url)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    go_on = threading.Event()

    def held(_: Got) -> tuple[int, dict[str, str], bytes]:
        go_on.wait(10)
        return 204, {}, b""

    receiver.answer = held
    began = time.monotonic()
    assert _post(api, f"{HOOK}/test").json()["failure"] == "timeout"
    assert time.monotonic() - began < 5
    go_on.set()


def test_what_cannot_be_decrypted_is_told_by_the_name_of_its_endpoint(api: Any, settings: Any) -> None:
    _post(api, **NEW)
    Endpoint.objects.update(state="active", confirmed_at="2026-01-01T00:00Z")
    settings.RELAY_ENCRYPTION_KEYS = [encrypting.new_key()]
    answer = _post(api, f"{HOOK}/test")
    assert _type(answer) == (503, "cannot-decrypt")
    assert 'Endpoint "hook"' in answer.json()["detail"]


def test_of_which_something_cannot_be_decrypted_says_so_itself(api: Any, settings: Any) -> None:
    assert _post(api, **NEW, headers=HEADERS).json()["trouble"] is None
    before = settings.RELAY_ENCRYPTION_KEYS
    for keys, said in (([encrypting.new_key()], "lacks the key"), ([], "manage.py endpoints key")):
        settings.RELAY_ENCRYPTION_KEYS = keys
        assert said in api.get(HOOK).json()["trouble"]
        assert said in api.get(ENDPOINTS).json()["results"][0]["trouble"]
    settings.RELAY_ENCRYPTION_KEYS = before
    assert api.get(HOOK).json()["trouble"] is None


def test_a_secret_that_no_key_reads_ends_as_it_is_rotated(api: Any, settings: Any) -> None:
    _post(api, **NEW, headers=HEADERS, signatures=["v1", "v1a"])
    _post(api, f"{HOOK}/rotate", kind="v1")
    settings.RELAY_ENCRYPTION_KEYS = [encrypting.new_key()]
    _post(api, f"{HOOK}/rotate", kind="v1a")
    assert api.get(HOOK).json()["trouble"], "of the other kind"
    _post(api, f"{HOOK}/rotate")
    api.patch(HOOK, {"headers": HEADERS}, format="json")
    row = api.get(HOOK).json()
    assert row["trouble"] is None
    assert sorted((one["kind"], one["ends_at"] is None) for one in row["signatures"]) == [
        ("v1", True),
        ("v1a", False),
        ("v1a", True),
    ]
    assert len(keeping.signing(Endpoint.objects.get())) == 3


def test_endpoints_are_listed_by_name_in_pages(api: Any) -> None:
    for number in range(3):
        _post(api, name=f"hook{number}", url=f"https://{number}.example.org/")
    first = api.get(f"{ENDPOINTS}?limit=2").json()
    assert ([row["name"] for row in first["results"]], first["count"]) == (["hook0", "hook1"], 3)
    assert [row["name"] for row in api.get(first["next"]).json()["results"]] == ["hook2"]
    assert api.get(f"{ENDPOINTS}?search=k1").json()["count"] == 1
    assert api.get(f"{ENDPOINTS}?state=active").json()["count"] == 0
    assert api.get(f"{ENDPOINTS}?state=open").status_code == 400
