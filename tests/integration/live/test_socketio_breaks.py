"""A page misses nothing and sees nothing twice, whatever breaks: it goes on from the last that it had."""

import json
import signal
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
import requests
from websockets.sync.client import connect

from access_app import tokens
from access_app.models import Token
from tests.integration.live.breaking import Publisher, deaf, killable, listening_at, masked, peers
from tests.integration.live.page import BOTH, NEWEST, OLDEST, POLLING, WEBSOCKET, Page
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

KILLS = 6
MESSAGES_BETWEEN = 40

PAGES = [(NEWEST, POLLING), (NEWEST, WEBSOCKET), (NEWEST, BOTH), (OLDEST, POLLING), (OLDEST, BOTH)]


def test_killed_again_and_again_nothing_is_missed_or_doubled(client: Client, channel: str) -> None:
    with killable() as web:
        pages = [
            Page(web.url, client.key, library=library, transports=transports, join=[{"channel": channel}])
            for library, transports in PAGES
        ]
        try:
            for page in pages:
                page.first("joined")
            with Publisher(client, channel) as publisher:
                for _ in range(KILLS):
                    goal = len(publisher.texts) + MESSAGES_BETWEEN
                    for page in pages:
                        _sees_more(page)
                    _reaches(pages[0], lambda: publisher.texts, goal)
                    web.kill()
            for page in pages:
                _reaches(page, page.texts, len(publisher.texts))
                assert page.texts() == publisher.texts
                # It was killed, and the page came again.
                assert len(page.all("connect")) > KILLS
        finally:
            for page in pages:
                page.__exit__()


def test_without_positions_the_same_kills_lose_messages(client: Client, channel: str) -> None:
    """The control: the kills are kills, and what goes on without a position is not whole."""
    with (
        killable() as web,
        Page(web.url, client.key, join=[{"channel": channel}], forgets=True) as page,
        Publisher(client, channel) as publisher,
    ):
        for _ in range(3):
            _sees_more(page, 10)
            web.kill()
        page.wait(lambda: len(page.all("connect")) > 3, 60)
        _sees_more(page)
        assert page.texts() != publisher.texts[: len(page.texts())]


@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids=["polling", "websocket"])
def test_a_process_that_stops_says_so_and_ends(
    client: Client, channel: str, serve: Any, transports: list[str]
) -> None:
    url = serve()
    process = listening_at(url)
    with Page(url, client.key, transports=transports, join=[{"channel": channel}]) as page:
        page.first("joined")
        client.publish(channel, "one")
        page.first("message")
        time.sleep(0.5)  # A poll waits again.
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert page.first("closing") == {"reason": "restart"}
        # By these reasons it comes again by itself.
        assert page.first("disconnect") in {"transport close", "transport error"}
        process.wait(10)
        assert time.monotonic() - began < 5


def test_one_that_reads_nothing_is_cut_and_the_others_are_not(
    client: Client, channel: str, serve: Any
) -> None:
    url = serve(RELAY_LIVE_BUFFER_BYTES=str(64 << 10))
    process = listening_at(url)
    with Page(url, client.key, join=[{"channel": channel}]) as page, _deaf(url, client.key, channel) as lazy:
        page.first("joined")
        ours = lazy.getsockname()
        assert ours in peers(process)
        before = process.memory_info().rss
        texts = [f"{number}" + "x" * 100_000 for number in range(150)]
        for at in range(0, len(texts), 10):
            client.publish(channel, *texts[at : at + 10])
        page.wait(lambda: len(page.texts()) == len(texts), 60)
        assert page.texts() == texts
        assert len(page.all("connect")) == 1
        page.wait(lambda: ours not in peers(process), 40)
        assert process.memory_info().rss - before < 60 << 20


def test_one_that_reads_nothing_and_loses_its_token_is_hung_up_on(
    client: Client, channel: str, serve: Any, operator: Any
) -> None:
    url = serve(RELAY_LIVE_BUFFER_BYTES=str(1 << 30))
    process = listening_at(url)
    key = tokens.make("deaf", operator, Token.Scope.READ)[1]
    with Page(url, client.key, join=[{"channel": channel}]) as page, _deaf(url, key, channel) as lazy:
        page.first("joined")
        for _ in range(15):
            client.publish(channel, *["x" * 100_000] * 10)
        page.wait(lambda: len(page.texts()) == 150, 60)
        ours = lazy.getsockname()
        assert ours in peers(process)
        Token.objects.get(name="deaf").delete()
        page.wait(lambda: ours not in peers(process), 20)


def test_one_that_asks_and_reads_no_answers_is_cut(client: Client, channel: str, web: str) -> None:
    process = listening_at(web)
    with Page(web, client.key, join=[{"channel": channel}]) as page, _deaf(web, client.key, channel) as lazy:
        ours = lazy.getsockname()
        with pytest.raises(ConnectionError):
            _ask_without_end(lazy)
        page.wait(lambda: ours not in peers(process), 20)
        client.publish(channel, "one")
        assert page.first("message")["message"] == "one"


@pytest.mark.parametrize("says", [None, "2probe"], ids=["before it is tried", "before it is changed over to"])
def test_a_websocket_that_breaks_off_leaves_polling_as_it_was(
    client: Client, channel: str, says: str | None
) -> None:
    with requests.Session() as session:
        url = client.url + "/socket.io/?EIO=4&transport=polling"
        url += "&sid=" + json.loads(session.get(url).text[1:])["sid"]
        session.post(url, f"40{json.dumps({'token': client.key, 'join': [{'channel': channel}]})}")
        _poll(session, url, "caught-up")
        with connect(url.replace("http", "ws", 1).replace("polling", "websocket"), proxy=None) as raw:
            if says is not None:
                raw.send(says)
                assert raw.recv(10) == "3probe"
        client.publish(channel, "one")
        _poll(session, url, '"message":"one"')


def _poll(session: requests.Session, url: str, wanted: str) -> None:
    """Until this comes."""
    until = time.monotonic() + 10
    while wanted not in session.get(url, timeout=30).text:
        assert time.monotonic() < until, "it is answered with nothing, again and again"


def _sees_more(page: Page, many: int = 1) -> None:
    goal = len(page.texts()) + many
    page.wait(lambda: len(page.texts()) >= goal, 60)


def _reaches(page: Page, texts: Callable[[], list[str]], goal: int) -> None:
    page.wait(lambda: len(texts()) >= goal, 60)


def _deaf(url: str, key: str, channel: str) -> AbstractContextManager[socket.socket]:
    said = json.dumps({"token": key, "join": [{"channel": channel}]})
    return deaf(url, f"40{said}", b'"joined"')


def _ask_without_end(lazy: socket.socket) -> None:
    asked = masked("421" + json.dumps(["nothing" * 20])) * 200
    until = time.monotonic() + 60
    while time.monotonic() < until:
        lazy.sendall(asked)
