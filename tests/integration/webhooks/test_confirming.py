"""Nothing is sent to whoever has not said that he wants it."""

import re
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from celery import current_app
from django.test import Client

from access_app.models import AuditEntry
from relaybase.postgres.clock import ClockTimestamp
from relaycore.sending.signing import SharedSecret
from tests.integration.webhooks.conftest import PUBLIC
from tests.integration.webhooks.receiver import Got, Receiver, echoing
from webhooks_app.confirming import asking
from webhooks_app.confirming.requesting import request
from webhooks_app.http.once import ask as once
from webhooks_app.models import Challenge, Endpoint
from webhooks_app.tasks import confirm

pytestmark = pytest.mark.django_db

ENDPOINTS = "/api/v1/endpoints"
HOOK = f"{ENDPOINTS}/hook"

Ask = Callable[[], None]


def _post(api: Any, address: str = ENDPOINTS, **body: Any) -> Any:
    return api.post(address, body, format="json")


def _type(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def _state() -> str:
    return Endpoint.objects.get().state


def _path(url: str) -> str:
    assert url.startswith(f"{PUBLIC}/webhooks/confirm?challenge=")
    return url.removeprefix(PUBLIC)


def test_who_sends_the_challenge_back_has_confirmed(api: Any, receiver: Receiver, ask: Ask) -> None:
    receiver.answer = echoing
    assert _post(api, name="hook", url=receiver.url).json()["state"] == "pending"
    ask()
    row = api.get(HOOK).json()
    assert (row["state"], row["challenge"]["outcome"]) == ("active", "It is confirmed.")
    assert row["confirmed_at"] is not None
    entry = AuditEntry.objects.get(action="endpoint confirmed")
    assert (entry.actor, entry.via, entry.details) == ("hook", "its answer", {"how": "challenge"})


def test_what_is_sent_before_is_the_same_for_everybody(api: Any, receiver: Receiver, ask: Ask) -> None:
    headers = {"Authorization": "Bearer s3cret"}
    made = _post(api, name="hook", url=receiver.url, headers=headers, max_per_second=1).json()
    ask()
    (got,) = receiver.got
    assert set(got.json) == {"type", "challenge", "url"}
    assert got.json["type"] == "relay.confirmation"
    assert len(got.json["challenge"]) >= 43
    assert "authorization" not in got.headers
    names = {name for name in got.headers if name.startswith("webhook-")}
    assert names == {"webhook-id", "webhook-timestamp", "webhook-signature"}
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    signature = SharedSecret.read(made["secrets"]["v1"]).sign(signed).decode()
    assert got.headers["webhook-signature"] == signature


def test_what_it_answers_is_shown_to_nobody(api: Any, receiver: Receiver, ask: Ask) -> None:
    receiver.answer = lambda _: (404, {"X-Inside": "s3cret"}, b"s3cret inside")
    _post(api, name="hook", url=receiver.url)
    ask()
    shown = api.get(HOOK)
    assert shown.json()["challenge"]["outcome"] == "It has answered, but not with the challenge."
    # Of a time or a port any digits may be part.
    said = re.sub(r'"(\w+_at|url)": ?"[^"]*"', "", shown.content.decode())
    assert "s3cret" not in said
    assert "404" not in said
    assert _state() == "pending"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_the_challenge_with_another_status_confirms_nothing(
    api: Any, receiver: Receiver, ask: Ask, status: int
) -> None:
    receiver.answer = lambda got: (status, {"Location": f"{receiver.url}/other"}, echoing(got)[2])
    _post(api, name="hook", url=receiver.url)
    ask()
    assert (_state(), len(receiver.got)) == ("pending", 1)


def test_who_cannot_be_reached_is_said_in_a_word(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url="http://127.0.0.1:1024/")
    ask()
    assert api.get(HOOK).json()["challenge"]["outcome"] == "It could not be asked: refused."


def test_a_challenge_is_kept_as_its_digest(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    challenge = receiver.got[0].json["challenge"]
    assert challenge not in str(Challenge.objects.values().get())


def test_the_owner_confirms_by_what_the_receiver_got(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    challenge = receiver.got[0].json["challenge"]
    for wrong in ("", "x", challenge[:-1], challenge.swapcase(), "é"):
        assert _type(_post(api, f"{HOOK}/confirm", challenge=wrong))[0] in {400, 404}
    half = api.post(f"{HOOK}/confirm", '{"challenge": "\\ud800"}', content_type="application/json")
    assert half.status_code in {400, 404}
    assert _state() == "pending"
    assert _post(api, f"{HOOK}/confirm", challenge=challenge).json()["state"] == "active"
    assert _post(api, f"{HOOK}/confirm", challenge=challenge).status_code == 200
    assert AuditEntry.objects.filter(action="endpoint confirmed").count() == 1


def test_a_challenge_is_for_one_endpoint(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    _post(api, name="other", url=f"{receiver.url}/other")
    challenge = receiver.got[0].json["challenge"]
    assert _type(_post(api, f"{ENDPOINTS}/other/confirm", challenge=challenge)) == (404, "challenge-unknown")
    assert set(Endpoint.objects.values_list("state", flat=True)) == {"pending"}


def test_a_challenge_is_for_one_url(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    challenge, link = receiver.got[0].json["challenge"], _path(receiver.got[0].json["url"])
    api.patch(HOOK, {"url": f"{receiver.url}/other"}, format="json")
    assert _type(_post(api, f"{HOOK}/confirm", challenge=challenge)) == (404, "challenge-unknown")
    assert Client().post(link).status_code == 404
    assert Client().get(link).status_code == 404
    assert _state() == "pending"


def test_a_url_that_changes_while_it_is_asked_is_not_confirmed_by_the_answer(
    api: Any, receiver: Receiver, ask: Ask
) -> None:
    receiver.answer = echoing
    _post(api, name="hook", url=receiver.url)
    number = Challenge.objects.get().pk

    def moved(target: Any, head: Any, body: bytes, networks: Any) -> Any:
        answer = once(target, head, body, networks)
        Endpoint.objects.update(url=f"{receiver.url}/other")
        return answer

    request(number, moved)
    assert _state() == "pending"
    assert "another URL" in Challenge.objects.get().outcome


def test_a_link_confirms_by_its_button_and_by_nothing_else(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    stranger, link = Client(enforce_csrf_checks=True), _path(receiver.got[0].json["url"])
    for scan in (stranger.get, stranger.head, stranger.get):
        answer = scan(link)
        assert answer.status_code == 200
        assert "no-store" in answer["Cache-Control"]
        assert answer["Referrer-Policy"] == "no-referrer"
    for other in (stranger.options, stranger.put, stranger.delete):
        assert other(link).status_code == 405
    assert _state() == "pending"
    page = stranger.get(link).content.decode()
    assert receiver.url in page
    assert '<form method="post">' in page
    assert "Confirmed" in stranger.post(link).content.decode()
    assert _state() == "active"
    entry = AuditEntry.objects.get(action="endpoint confirmed")
    assert (entry.actor, entry.via, entry.address) == ("nobody", "confirmation link", "127.0.0.1")
    assert "<form" not in stranger.get(link).content.decode()


def test_a_link_that_nobody_was_sent_says_what_to_do(client: Client, db: None) -> None:
    for link in ("?challenge=guessed", "", "?challenge=%00", "?challenge=%FF"):
        for answer in (client.get(f"/webhooks/confirm{link}"), client.post(f"/webhooks/confirm{link}")):
            assert answer.status_code == 404
            assert "Have the endpoint asked again" in answer.content.decode()


def test_after_two_days_it_has_to_be_asked_again(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    left = Challenge.objects.get().expires_at - Challenge.objects.get().asked_at
    assert timedelta(hours=47) < left <= timedelta(days=2, seconds=1)
    challenge, link = receiver.got[0].json["challenge"], _path(receiver.got[0].json["url"])
    Challenge.objects.update(expires_at=ClockTimestamp(), asked_at=ClockTimestamp() - asking.LIFETIME)
    assert _type(_post(api, f"{HOOK}/confirm", challenge=challenge)) == (404, "challenge-unknown")
    assert Client().post(link).status_code == 404
    receiver.answer = echoing
    assert _post(api, f"{HOOK}/challenge").json()["state"] == "pending"
    ask()
    assert _state() == "active"
    assert _type(_post(api, f"{HOOK}/challenge")) == (409, "not-confirmed")


def test_without_a_known_site_there_is_no_link(api: Any, receiver: Receiver, ask: Ask, settings: Any) -> None:
    settings.RELAY_PUBLIC_URL = ""
    receiver.answer = echoing
    _post(api, name="hook", url=receiver.url)
    ask()
    assert set(receiver.got[0].json) == {"type", "challenge"}
    assert _state() == "active"


def test_a_host_is_asked_a_few_times_a_minute_whoever_asks(
    api: Any, receiver: Receiver, stranger: Any
) -> None:
    other = stranger({"scope": "manage", "channels": ["*"]})
    for number in range(asking.PER_HOST):
        who = (api, other)[number % 2]
        assert _post(who, name=f"hook{number}", url=f"{receiver.url}/{number}").status_code == 201
    for who in (api, other):
        refused = _post(who, name="more", url=f"{receiver.url}/more")
        assert (_type(refused), refused["Retry-After"]) == ((429, "too-many-asked"), "60")
        assert _type(_post(who, name="port", url="http://127.0.0.1:8/"))[0] == 429
    assert not Endpoint.objects.filter(name="more").exists()
    # Not by making it anew, either.
    assert api.delete(f"{ENDPOINTS}/hook0").status_code == 204
    assert _type(_post(api, name="hook0", url=f"{receiver.url}/0")) == (429, "too-many-asked")
    Challenge.objects.update(asked_at=ClockTimestamp() - timedelta(seconds=61))
    assert _post(api, name="more", url=f"{receiver.url}/more").status_code == 201


def test_an_owner_asks_a_few_times_a_minute_wherever(api: Any) -> None:
    answers = [
        _post(api, name=f"hook{number}", url=f"https://{number}.example.org/").status_code
        for number in range(asking.PER_OWNER + 1)
    ]
    assert answers == [201] * asking.PER_OWNER + [429]


def test_what_has_expired_is_swept(api: Any, receiver: Receiver) -> None:
    _post(api, name="hook", url=receiver.url)
    old = Challenge.objects.get().pk
    Challenge.objects.update(expires_at=ClockTimestamp() - timedelta(seconds=1), asked_at="2026-01-01T00:00Z")
    _post(api, f"{HOOK}/challenge")
    assert not Challenge.objects.filter(pk=old).exists()


# --- as CloudEvents' webhooks have it ---------------------------------------------------------


def _allowing(**headers: str) -> Callable[[Got], Any]:
    return lambda _: (200, {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def test_who_allows_this_origin_has_confirmed(api: Any, receiver: Receiver, ask: Ask) -> None:
    receiver.answer = _allowing(WebHook_Allowed_Origin="relay.example.org", WebHook_Allowed_Rate="120")
    _post(api, name="hook", url=receiver.url, confirmation="options", headers={"X": "y"})
    ask()
    (got,) = receiver.got
    assert (got.method, got.headers["webhook-request-origin"]) == ("OPTIONS", "relay.example.org")
    assert "webhook-request-rate" not in got.headers
    assert "x" not in got.headers
    row = api.get(HOOK).json()
    assert (row["state"], row["max_per_second"]) == ("active", 2.0)


def test_a_rate_is_asked_for_and_never_raised(api: Any, receiver: Receiver, ask: Ask) -> None:
    receiver.answer = _allowing(WebHook_Allowed_Origin="*", WebHook_Allowed_Rate="6000")
    _post(api, name="hook", url=receiver.url, confirmation="options", max_per_second=1.5)
    ask()
    assert receiver.got[0].headers["webhook-request-rate"] == "90"
    assert api.get(HOOK).json()["max_per_second"] == 1.5


def test_a_status_allows_nothing(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url, confirmation="options")
    ask()
    row = api.get(HOOK).json()
    assert (row["state"], row["challenge"]["outcome"]) == (
        *("pending", "It has answered, and does not allow it."),
    )


def test_it_may_be_allowed_later_by_the_callback(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url, confirmation="options")
    ask()
    callback = _path(receiver.got[0].headers["webhook-request-callback"])
    assert Client(enforce_csrf_checks=True).post(callback).status_code == 200
    assert _state() == "active"


# --- vouched for ------------------------------------------------------------------------------


def test_who_manages_every_channel_may_vouch(api: Any, receiver: Receiver) -> None:
    made = _post(api, name="hook", url=receiver.url, confirmation="vouched").json()
    assert (made["state"], made["challenge"]) == ("active", None)
    entry = AuditEntry.objects.get(action="endpoint vouched for")
    assert (entry.actor, entry.target) == ("operator", "hook")
    other = api.patch(HOOK, {"url": f"{receiver.url}/other"}, format="json").json()
    assert other["state"] == "active"
    assert AuditEntry.objects.filter(action="endpoint vouched for").count() == 2
    assert receiver.got == []


def test_nobody_else_may(receiver: Receiver, stranger: Any) -> None:
    some = stranger({"scope": "manage", "channels": ["orders.*"]})
    assert _post(some, name="hook", url=receiver.url, confirmation="vouched").status_code == 403
    assert _post(some, name="hook", url=receiver.url).status_code == 201
    assert some.patch(HOOK, {"confirmation": "vouched"}, format="json").status_code == 403
    assert _state() == "pending"
    # What somebody else has vouched for is not his to move.
    Endpoint.objects.update(confirmation="vouched", state="active", confirmed_at="2026-01-01T00:00Z")
    assert some.patch(HOOK, {"url": f"{receiver.url}/other"}, format="json").status_code == 403
    assert some.patch(HOOK, {"timeout_seconds": 5}, format="json").status_code == 200


# --- the task ---------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_it_is_asked_once_that_is_committed(
    api: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda *given, **_: sent.append(given))
    _post(api, name="hook", url=receiver.url)
    assert sent == [("webhooks_app.tasks.confirm", (Challenge.objects.get().pk,))]
    assert confirm.name == asking.TASK


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_fails_nothing_and_is_said(
    api: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(current_app, "send_task", away)
    assert _post(api, name="hook", url=receiver.url).status_code == 201
    assert "Ask again" in api.get(HOOK).json()["challenge"]["outcome"]


@pytest.mark.django_db(transaction=True)
def test_the_task_does_not_hold_up_its_worker(api: Any, receiver: Receiver) -> None:
    going, came = Event(), Event()

    def slow(got: Got) -> Any:
        came.set()
        assert going.wait(10)
        return echoing(got)

    receiver.answer = slow
    _post(api, name="hook", url=receiver.url)
    confirm(Challenge.objects.get().pk)
    assert came.wait(10)
    assert _state() == "pending"
    going.set()
    deadline = 200
    while _state() != "active":
        deadline -= 1
        assert deadline
        Event().wait(0.05)


def test_a_challenge_that_is_over_asks_nobody(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    Endpoint.objects.update(state="disabled")
    ask()
    Endpoint.objects.update(state="pending")
    Challenge.objects.update(expires_at=ClockTimestamp())
    ask()
    request(0)
    assert receiver.got == []


def test_challenges_are_not_alike(api: Any, receiver: Receiver, ask: Ask) -> None:
    _post(api, name="hook", url=receiver.url)
    ask()
    _post(api, f"{HOOK}/challenge")
    ask()
    first, second = (got.json["challenge"] for got in receiver.got)
    assert first != second
    assert all(re.fullmatch(r"[\w-]{43}", one) for one in (first, second))
    # Both were sent there, and either confirms.
    assert _post(api, f"{HOOK}/confirm", challenge=first).json()["state"] == "active"
