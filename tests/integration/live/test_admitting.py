"""Who may watch: tickets, who is logged in, public channels, and pages of other origins."""

import http.client
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client as Browser

from access_app import tokens
from access_app.models import Ticket, Token
from channels_app.models import Channel
from relaybase.postgres.clock import ClockTimestamp
from tests.integration.live.asking import asked, payloads, status_of
from tests.integration.pulling.conftest import Client

CUT_SECONDS = 5

pytestmark = pytest.mark.django_db(transaction=True)


def is_cut(answer: http.client.HTTPResponse) -> bool:
    """Whether the stream ends within the time in which it has to."""
    began = time.monotonic()
    while answer.readline():
        pass
    return time.monotonic() - began < CUT_SECONDS


@pytest.fixture
def ticket(client: Client, channel: str) -> str:
    """To watch the channel with."""
    found: str = client.post("live/tickets", {"channels": [channel]}, 201)["ticket"]
    return found


@pytest.fixture
def session(operator: User) -> str:
    """The cookie of the operator's browser, logged in."""
    browser = Browser()
    browser.force_login(operator)
    return f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"


# --- tickets ------------------------------------------------------------------------------------------


def test_with_a_ticket_a_browser_watches_and_comes_again(
    client: Client, channel: str, ticket: str, web: str
) -> None:
    path = f"channels/{channel}/live?since=earliest&ticket={ticket}"
    client.publish(channel, "one")
    for _ in range(2):
        with asked(web, path) as answer:
            assert answer.status == 200
            assert json.loads(next(payloads(answer)))["message"] == "one"


def test_a_ticket_opens_nothing_else(client: Client, channel: str, ticket: str, web: str) -> None:
    Channel(channel=f"{channel}-other", deduplicate="every", listen=False).save()
    assert status_of(web, f"channels/{channel}-other/live?ticket={ticket}") == 403
    assert status_of(web, f"messages?channel={channel}", {"Authorization": f"Bearer {ticket}"}) == 401
    assert status_of(web, f"channels/{channel}/messages?ticket={ticket}") == 401


def test_whoever_has_no_such_ticket_is_refused(channel: str, web: str) -> None:
    assert status_of(web, f"channels/{channel}/live?ticket=relayticket_nobody") == 401
    assert status_of(web, f"channels/{channel}/live?ticket=anything") == 401


@pytest.mark.parametrize(
    "too_late",
    [
        {"created_at": ClockTimestamp() - timedelta(seconds=61)},
        {"expires_at": ClockTimestamp() - timedelta(seconds=1)},
    ],
    ids=["not used within a minute", "expired"],
)
def test_a_ticket_ends_by_itself(channel: str, ticket: str, web: str, too_late: Mapping[str, Any]) -> None:
    assert Ticket.objects.update(**too_late) == 1
    assert status_of(web, f"channels/{channel}/live?ticket={ticket}") == 401


def test_one_that_was_used_once_holds_beyond_the_minute(channel: str, ticket: str, web: str) -> None:
    path = f"channels/{channel}/live?ticket={ticket}"
    assert status_of(web, path) == 200
    Ticket.objects.update(created_at=ClockTimestamp() - timedelta(seconds=600))
    Token.objects.update(name="another name")  # All that is remembered is read again.
    time.sleep(2)
    assert status_of(web, path) == 200


def test_a_ticket_ends_with_its_token(channel: str, ticket: str, web: str) -> None:
    with asked(web, f"channels/{channel}/live?ticket={ticket}") as answer:
        tokens.revoke(Token.objects.get())
        assert is_cut(answer)
    assert status_of(web, f"channels/{channel}/live?ticket={ticket}") == 401


def test_a_ticket_ends_with_the_key_of_its_token(channel: str, ticket: str, web: str) -> None:
    with asked(web, f"channels/{channel}/live?ticket={ticket}") as answer:
        tokens.rotate(Token.objects.get())
        assert is_cut(answer)
    assert status_of(web, f"channels/{channel}/live?ticket={ticket}") == 401


def test_a_ticket_lives_no_longer_than_its_token(operator: User, channel: str, web: str) -> None:
    token, key = tokens.make("short", operator, "read")
    Token.objects.update(expires_at=ClockTimestamp() + timedelta(seconds=100))
    Client(web, key).post("live/tickets", {"channels": [channel], "lifetime_seconds": 3600}, 201)
    token.refresh_from_db()
    assert Ticket.objects.get().expires_at == token.expires_at


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"channels": []}, 400),
        ({"channels": "orders"}, 400),
        ({"channels": ["never was"]}, 404),
        ({"channels": ["x"] * 51}, 400),
        ({"channels": ["x"], "lifetime_seconds": 59}, 400),
        ({"channels": ["x"], "lifetime_seconds": 86_401}, 400),
        ({"channels": ["x"], "life": 100}, 400),
    ],
)
def test_what_is_no_ticket_is_refused(client: Client, body: Any, status: int) -> None:
    client.post("live/tickets", body, status)
    assert not Ticket.objects.exists()


def test_no_ticket_for_what_the_token_may_not_see(operator: User, channel: str, web: str) -> None:
    _, key = tokens.make("elsewhere", operator, "read")
    Token.objects.update(grants=[{"scope": "read", "channels": ["elsewhere.*"]}])
    Client(web, key).post("live/tickets", {"channels": [channel]}, 403)


# --- who is logged in ---------------------------------------------------------------------------------


def test_who_is_logged_in_watches_until_he_logs_out(channel: str, session: str, web: str) -> None:
    with asked(web, f"channels/{channel}/live", {"Cookie": session}) as answer:
        assert answer.status == 200
        Session.objects.all().delete()
        assert is_cut(answer)
    assert status_of(web, f"channels/{channel}/live", {"Cookie": session}) == 401


def test_what_a_cookie_says_no_header_says(channel: str, session: str, web: str) -> None:
    key = "session:" + session.partition("=")[2]
    assert status_of(web, f"channels/{channel}/live", {"Authorization": f"Bearer {key}"}) == 401


def test_who_is_logged_in_may_what_his_user_may(operator: User, channel: str, session: str, web: str) -> None:
    operator.is_superuser = False
    operator.save()
    assert status_of(web, f"channels/{channel}/live", {"Cookie": session}) == 403


def test_a_page_of_another_origin_does_not_watch_with_his_session(
    channel: str, session: str, web: str
) -> None:
    path = f"channels/{channel}/live"
    assert status_of(web, path, {"Cookie": session, "Origin": "https://elsewhere.example"}) == 403
    assert status_of(web, path, {"Cookie": session, "Origin": "null"}) == 403
    assert status_of(web, path, {"Cookie": session, "Origin": web}) == 200


# --- public channels ----------------------------------------------------------------------------------


def test_a_public_channel_is_for_anybody_until_it_is_not(channel: str, web: str) -> None:
    path = f"channels/{channel}/live"
    assert status_of(web, path) == 401
    Channel.objects.filter(channel=channel).update(public=True)
    time.sleep(2)
    with asked(web, path) as answer:
        assert answer.status == 200
        Channel.objects.filter(channel=channel).update(public=False)
        assert is_cut(answer)


def test_what_is_public_is_watched_live_and_nothing_else(channel: str, web: str) -> None:
    Channel.objects.filter(channel=channel).update(public=True)
    assert status_of(web, f"messages?channel={channel}") == 401
    assert status_of(web, f"live?channel={channel}&channel=elsewhere") == 401


def test_a_filter_that_says_a_name_twice_is_refused(channel: str, ticket: str, web: str) -> None:
    path = f"channels/{channel}/live?ticket={ticket}&filter="
    assert status_of(web, path + quote('{"a": [1], "b": [2]}')) == 200
    assert status_of(web, path + quote('{"a": [1], "a": [2]}')) == 400


def test_strangers_bring_no_filter(channel: str, ticket: str, web: str) -> None:
    Channel.objects.filter(channel=channel).update(public=True)
    path = f"channels/{channel}/live?filter=%7B%22a%22%3A%5B1%5D%7D"
    assert status_of(web, path) == 403
    assert status_of(web, f"{path}&ticket={ticket}") == 200


def test_strangers_behind_a_proxy_are_counted_apart(channel: str, serve: Callable[..., str]) -> None:
    Channel.objects.filter(channel=channel).update(public=True)
    limits = {"RELAY_TRUSTED_PROXIES": "127.0.0.0/8", "RELAY_LIVE_CONNECTIONS_PER_TOKEN": "1"}
    web, path = serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", **limits), f"channels/{channel}/live"
    with ExitStack() as watching:
        for address, line in (("203.0.113.5", b": Relay\n"), ("198.51.100.7", b": Relay\n")):
            answer = watching.enter_context(asked(web, path, {"X-Forwarded-For": address}))
            assert answer.readline() == line
        again = watching.enter_context(asked(web, path, {"X-Forwarded-For": "203.0.113.5"}))
        assert b"as many as may" in again.readline()


def test_a_public_channel_is_for_tokens_without_a_right_on_it_too(
    operator: User, channel: str, web: str
) -> None:
    Channel.objects.filter(channel=channel).update(public=True)
    _, key = tokens.make("elsewhere", operator, "read")
    Token.objects.update(grants=[{"scope": "read", "channels": ["elsewhere.*"]}])
    assert status_of(web, f"channels/{channel}/live", {"Authorization": f"Bearer {key}"}) == 200


# --- pages of other origins ---------------------------------------------------------------------------

PAGE = "https://app.example.org"


@pytest.fixture(scope="module")
def open_web(serve: Callable[..., str]) -> str:
    """A web process that pages of one other origin may ask."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_LIVE_ORIGINS=PAGE)


def test_a_page_of_an_origin_that_is_named_may_watch(channel: str, ticket: str, open_web: str) -> None:
    path = f"channels/{channel}/live?ticket={ticket}"
    with asked(open_web, path, {"Origin": PAGE}) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Origin" in answer.headers["Vary"]
    assert status_of(open_web, path, {"Origin": "https://elsewhere.example"}) == 403


def test_of_any_origin_means_without_cookies(channel: str, session: str, serve: Callable[..., str]) -> None:
    web, path = serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_LIVE_ORIGINS="*"), f"channels/{channel}/live"
    Channel.objects.filter(channel=channel).update(public=True)
    assert status_of(web, path, {"Cookie": session, "Origin": "https://elsewhere.example"}) == 403
    with asked(web, path, {"Origin": "https://elsewhere.example"}) as answer:
        assert answer.status == 200
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_browser_that_asks_first_is_told(channel: str, open_web: str) -> None:
    path = f"channels/{channel}/live"
    wanted = {"Origin": PAGE, "Access-Control-Request-Method": "GET"}
    with asked(open_web, path, wanted, "OPTIONS") as answer:
        assert answer.status == 204
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    elsewhere = {**wanted, "Origin": "https://elsewhere.example"}
    with asked(open_web, path, elsewhere, "OPTIONS") as answer:
        assert "Access-Control-Allow-Origin" not in answer.headers


def test_a_page_reads_why_it_is_refused(channel: str, open_web: str) -> None:
    with asked(open_web, f"channels/{channel}/live", {"Origin": PAGE}) as answer:
        assert answer.status == 401
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
