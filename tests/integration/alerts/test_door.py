"""`POST /api/alerts`: what programs call that know nothing of Relay."""

import asyncio
import json
import socket
from collections.abc import Callable, Iterator
from http.client import HTTPConnection, HTTPResponse
from typing import Any
from urllib.parse import urlsplit

import pytest

from access_app import tokens
from access_app.models import AuditEntry
from alerts_app import defaults
from alerts_app.models import Rule
from alerts_app.taking.application import AlertsDoor
from channels_app import registration as channels
from channels_app.models import Channel
from relaycore.policy import EVERY
from relaycore.rights import Grant, Grants
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)

Stored = Callable[[], list[dict[str, Any]]]

GOOD = {"location": "Harbour", "type": "Flood", "timestamp": "2026-11-21T12:00:00Z", "duration": 15}


@pytest.fixture(scope="module")
def open_web(serve: Callable[..., str]) -> str:
    return serve(RELAY_ALERTS="open")


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """With tokens."""
    return serve(RELAY_ALERTS="true")


@pytest.fixture
def channel(db: None, relay_keys: Any) -> Channel:
    return channels.start("alerts", EVERY, listen=False, republish=False)


def ask(
    url: str, body: bytes | str, path: str = "/api/alerts", method: str = "POST", **headers: str
) -> tuple[HTTPResponse, Any]:
    """The answer, and what its JSON says."""
    connection = HTTPConnection(urlsplit(url).netloc, timeout=20)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, {"Content-Type": "application/json", **sent})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    assert answer.headers["Content-Type"] in {"application/json", "application/problem+json"}
    return answer, json.loads(said)


def post(url: str, **changed: Any) -> tuple[HTTPResponse, Any]:
    return ask(url, json.dumps({**GOOD, **changed}))


@pytest.fixture
def stored(archive: Any, writer: Loop) -> Stored:
    """What is kept of the channel."""
    return lambda: list(archive.find({"channel": "alerts"}).sort("position"))


@pytest.mark.parametrize("path", ["/api/alerts", "/api/alerts/"])
def test_an_alert_is_stored_byte_for_byte(
    open_web: str, channel: Channel, stored: Stored, wait_until: Callable[..., None], path: str
) -> None:
    sent = json.dumps({**GOOD, "location": "Łódź 🌊", "more": [1]}, ensure_ascii=False) + "\n"
    answer, said = ask(open_web, sent.encode(), path)
    assert (answer.status, said) == (200, "Event processed successfully")
    wait_until(stored)
    (found,) = stored()
    assert found["message"] == sent
    assert found["produced_by"] == "alerts"


def test_the_id_of_its_source_makes_a_repetition_harmless(
    open_web: str, channel: Channel, stored: Stored, wait_until: Callable[..., None]
) -> None:
    for sent in (
        {"id": "a"},
        {"id": "a"},
        {"uuid": "a"},
        {"id": 7},
        {"id": 7},
        {"id": 7, "type": "Fire"},
        {},
    ):
        assert post(open_web, **sent)[0].status == 200
    assert post(open_web, location="last")[0].status == 200
    wait_until(lambda: any("last" in one["message"] for one in stored()))
    assert len(stored()) == 6


def test_twenty_at_the_same_moment_lose_nothing(
    open_web: str, channel: Channel, stored: Stored, in_thread: Any, wait_until: Callable[..., None]
) -> None:
    posted = [in_thread(lambda number=number: post(open_web, number=number)) for number in range(20)]
    assert [one.result(20)[0].status for one in posted] == [200] * 20
    wait_until(lambda: len(stored()) == 20)
    assert sorted(json.loads(one["message"])["number"] for one in stored()) == list(range(20))


def test_what_is_no_alert_says_which_field(open_web: str, channel: Channel) -> None:
    answer, said = post(open_web, duration=True)
    assert answer.status == 400
    assert said["type"] == "urn:relay:problem:bad-alert"
    assert said["detail"].startswith("Invalid event data: duration must ")
    assert list(said["errors"]) == ["duration"]
    for body in (b"", b"\xff", b"[]", b"[" * 50_000, b"not JSON"):
        answer, said = ask(open_web, body)
        assert (answer.status, list(said["errors"])) == (400, ["body"])


@pytest.mark.parametrize("size", [70_000, (1 << 20) - 1000, 3 << 20])
def test_a_body_that_is_too_large_is_not_taken_in(open_web: str, channel: Channel, size: int) -> None:
    body = json.dumps({**GOOD, "location": "x" * size}).encode()
    with socket.create_connection((urlsplit(open_web).hostname, urlsplit(open_web).port), 20) as sent:
        head = f"POST /api/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
        sent.sendall(head.encode())
        if size <= 1 << 20:  # It is let pass, so that whoever sends all of it first sees the answer.
            sent.sendall(body)
        assert sent.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_that_comes_in_pieces_is_bounded_as_well(open_web: str, channel: Channel) -> None:
    def pieces(size: int) -> Iterator[bytes]:
        yield json.dumps({**GOOD, "more": "x" * size}).encode()

    assert ask(open_web, pieces(10))[0].status == 200  # type: ignore[arg-type]
    assert ask(open_web, pieces(100_000))[0].status == 413  # type: ignore[arg-type]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_none(open_web: str, method: str) -> None:
    answer, _ = ask(open_web, b"", method=method)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


def test_a_page_of_somebody_else_may_not_post(
    serve: Callable[..., str], open_web: str, channel: Channel
) -> None:
    elsewhere = "https://evil.example"
    answer, said = ask(open_web, json.dumps(GOOD), Origin=elsewhere)
    assert answer.status == 403
    assert "RELAY_LIVE_ORIGINS" in said["detail"]
    assert ask(open_web, json.dumps(GOOD), Origin=open_web)[0].status == 200
    named = serve(RELAY_ALERTS="open", RELAY_LIVE_ORIGINS=elsewhere)
    assert ask(named, json.dumps(GOOD), Origin=elsewhere)[0].status == 200
    assert ask(named, json.dumps(GOOD), Origin="https://other.example")[0].status == 403


@pytest.mark.parametrize(
    ("alerts", "origins", "told"),
    [
        ("open", "https://page.example", "https://page.example"),
        ("true", "https://page.example", "https://page.example"),
        ("open", "*", "*"),
        ("true", "", None),
    ],
)
def test_the_browser_of_a_page_that_is_named_may_send_json_and_read_the_answer(
    serve: Callable[..., str], channel: Channel, alerts: str, origins: str, told: str | None
) -> None:
    web = serve(RELAY_ALERTS=alerts, RELAY_LIVE_ORIGINS=origins)
    connection = HTTPConnection(urlsplit(web).netloc, timeout=20)
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    connection.request("OPTIONS", "/api/alerts", None, {"Origin": "https://page.example", **asks})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == (405 if told is None else 204)
    assert answer.headers["Access-Control-Allow-Origin"] == told
    if told is not None:
        assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type"
    for body in (json.dumps(GOOD), "{}"):
        answer, _ = ask(web, body, Origin="https://page.example")
        assert answer.headers["Access-Control-Allow-Origin"] == told
        assert answer.headers["Access-Control-Allow-Credentials"] is None


def test_off_it_is_not_there(serve: Callable[..., str]) -> None:
    connection = HTTPConnection(urlsplit(serve()).netloc, timeout=20)
    connection.request("POST", "/api/alerts", json.dumps(GOOD))
    assert connection.getresponse().status == 404
    connection.close()


def test_a_token_that_may_publish_is_needed(web: str, channel: Channel, operator: Any) -> None:
    def key(scope: str, channel: str) -> str:
        return tokens.make(f"{scope} {channel}", operator, Grants([Grant(scope, (channel,))]))[1]

    answer, _ = ask(web, json.dumps(GOOD))
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert ask(web, json.dumps(GOOD), Authorization="Bearer wrong")[0].status == 401
    for scope, name in (("read", "alerts"), ("publish", "orders")):
        assert ask(web, json.dumps(GOOD), Authorization=f"Bearer {key(scope, name)}")[0].status == 403
    assert ask(web, json.dumps(GOOD), Authorization=f"Bearer {key('publish', 'alerts')}")[0].status == 200


def test_nothing_is_said_of_a_body_to_a_stranger(web: str, channel: Channel) -> None:
    assert ask(web, b"no alert")[0].status == 401


def test_the_first_alert_makes_what_comes_along(
    open_web: str, relay_keys: Any, stored: Stored, wait_until: Callable[..., None]
) -> None:
    wait_until(lambda: post(open_web)[0].status == 200 and Rule.objects.exists())
    rule = Rule.objects.select_related("channel", "to").get(name=defaults.NAME)
    assert (rule.channel.channel, rule.to.channel) == ("alerts", "alerts.events")
    assert (rule.channel.public, rule.to.public) == (False, True)
    assert not rule.channel.listen
    assert not rule.to.listen
    assert rule.settings == defaults.SETTINGS
    wait_until(stored)
    assert set(AuditEntry.objects.values_list("actor", flat=True)) == {"relay"}


def test_without_its_channel_no_alert_is_taken_and_none_is_refused_for_good(
    open_web: str, relay_keys: Any, wait_until: Callable[..., None]
) -> None:
    # What the process remembers of an earlier test it forgets within a second.
    wait_until(lambda: post(open_web) and Rule.objects.exists())
    Rule.objects.all().delete()
    channels.stop("alerts")
    # For a moment the process remembers it.
    wait_until(lambda: post(open_web)[0].status != 200)
    answer, said = post(open_web)
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    assert "alerts" in said["detail"]
    assert not Channel.objects.filter(channel="alerts").exists()


def test_while_redis_is_away_it_is_to_be_sent_again(serve: Callable[..., str], channel: Channel) -> None:
    away = serve(RELAY_ALERTS="open", REDIS_URL="redis://127.0.0.1:1/0")
    answer, _ = post(away)
    assert answer.status == 503
    assert answer.headers["Retry-After"]


def test_what_nobody_expected_is_to_be_sent_again_and_stands_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(body: bytes) -> None:
        raise ZeroDivisionError

    async def receive() -> Any:
        return {"type": "http.request", "body": json.dumps(GOOD).encode(), "more_body": False}

    sent: list[Any] = []

    async def send(event: Any) -> None:
        sent.append(event)

    async def nobody(*_: Any) -> None:
        raise AssertionError("it was handed on")

    monkeypatch.setattr("alerts_app.taking.alert.read", fail)
    application = AlertsDoor(nobody, None, {False: {}, True: {}}, lambda *_: None)
    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/api/alerts",
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
    }
    asyncio.run(application(scope, receive, send))
    assert sent[0]["status"] == 503
    assert dict(sent[0]["headers"])[b"retry-after"] == b"2"
    assert "ZeroDivisionError" in caplog.text
    assert "Harbour" not in caplog.text


def test_what_webhooks_bring_back_too_often_is_refused(
    open_web: str, channel: Channel, stored: Stored, wait_until: Any
) -> None:
    kept, _ = ask(open_web, json.dumps(GOOD), relay_hops="8")
    refused, said = ask(open_web, json.dumps({**GOOD, "duration": 16}), relay_hops="9")

    assert (kept.status, refused.status, said["type"]) == (200, 508, "urn:relay:problem:loop")
    wait_until(stored)
    assert [one["attributes"] for one in stored()] == [{"relay-hops": "8"}]
