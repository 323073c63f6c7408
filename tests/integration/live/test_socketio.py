"""Socket.IO, as public clients speak it: the newest and the oldest 4.x, by each of their transports."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any, cast

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from access_app import tokens
from access_app.models import Token
from relaycore.rights import parse
from tests.integration.live.page import BOTH, NEWEST, OLDEST, POLLING, WEBSOCKET, Page
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = [
    pytest.param(library, transports, id=f"{library}-{'-'.join(transports)}")
    for library in (NEWEST, OLDEST)
    for transports in (POLLING, WEBSOCKET, BOTH)
]


@pytest.mark.parametrize(("library", "transports"), CLIENTS)
def test_shows_what_is_stored_from_joining_on(
    client: Client, channel: str, library: str, transports: list[str]
) -> None:
    client.publish(channel, "before")
    with Page(client.url, client.key, library=library, transports=transports) as page:
        page.first("connect")
        joined = page.ask("join", {"channel": channel})
        assert joined["ok"] is True
        client.publish(channel, "one", "zwei €", "x" * 70_000)
        client.publish(channel, "four")
        page.wait(lambda: len(page.texts()) == 4)
        assert page.texts() == ["one", "zwei €", "x" * 70_000, "four"]
        assert page.ask("leave", {"channel": channel}) == {"ok": True}
        client.publish(channel, "after")
        assert page.ask("join", {"channel": channel, "after": joined["position"]})["ok"] is True
        page.wait(lambda: len(page.texts()) == 9)
        assert page.texts()[4:] == ["one", "zwei €", "x" * 70_000, "four", "after"]


def test_a_filter_shows_what_it_takes_and_another_one_holds_from_where_it_stands(
    client: Client, channel: str
) -> None:
    error, odd = {"level": ["error"]}, {"number": [1, 3, 5]}

    def publish(*numbers: int) -> None:
        levels = ["error" if number > 2 else "info" for number in numbers]
        pairs = zip(numbers, levels, strict=True)
        client.publish(channel, *(json.dumps({"number": one, "level": level}) for one, level in pairs))

    with Page(client.url, client.key, join=[{"channel": channel, "filter": error}]) as page:

        def numbers() -> list[int]:
            return [json.loads(text)["number"] for text in page.texts()]

        page.first("joined")
        publish(1, 2, 3)
        page.wait(lambda: numbers() == [3])
        # With the same one, and with another one, it stays where it is.
        place = page.ask("join", {"channel": channel, "filter": error})
        assert page.ask("join", {"channel": channel, "filter": odd}) == place
        publish(4, 5)
        page.wait(lambda: numbers() == [3, 5])
        assert page.ask("join", {"channel": channel})["ok"] is True
        publish(6)
        page.wait(lambda: numbers() == [3, 5, 6])
        again = page.ask("join", {"channel": channel, "filter": odd, "after": "earliest"})
        assert again["ok"] is True
        page.wait(lambda: numbers() == [3, 5, 6, 1, 3, 5])
        for wrong in ({"filter": []}, {"filter": {"a": "b"}}, {"filter_scope": "body"}):
            refused = page.ask("join", {"channel": channel, **wrong})
            assert (refused["ok"], refused["error"]["status"]) == (False, 400)


def test_a_message_is_the_row_that_the_api_has(client: Client, channel: str) -> None:
    with Page(client.url, client.key, join=[{"channel": channel}]) as page:
        page.first("joined")
        client.publish(channel, "one")
        row = page.first("message")
        request = urllib.request.Request(
            f"{client.url}/api/v1/messages/{row['id']}", headers={"Authorization": f"Bearer {client.key}"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            stored = json.loads(answer.read())
    assert {name: stored[name] for name in row} == row


def test_goes_on_after_any_position(client: Client, channel: str) -> None:
    client.publish(channel, "one", "two", "three")
    with Page(client.url, client.key, join=[{"channel": channel, "after": "earliest"}]) as page:
        page.wait(lambda: len(page.texts()) == 3)
        caught_up = page.first("caught-up")
        places = [one["position"] for one in page.said if "message" in one]
        rows = page.all("message")
    for after in (places[0], rows[0]["position"]):
        with Page(client.url, client.key, join=[{"channel": channel, "after": after}]) as page:
            page.wait(lambda: len(page.texts()) == 2)
            assert page.texts() == ["two", "three"]
    client.publish(channel, "four")
    with Page(client.url, client.key, join=[{"channel": channel, "after": caught_up["position"]}]) as page:
        assert page.first("message")["message"] == "four"
        assert page.texts() == ["four"]


def test_a_position_of_another_archive_is_told_of(client: Client, channel: str) -> None:
    client.publish(channel, "one")
    with Page(client.url, client.key) as page:
        page.first("connect")
        position = page.ask("join", {"channel": channel})["position"]
        other = "0" * 12 + position[12:]
        page.ask("join", {"channel": channel, "after": other})
        reset = page.first("reset")
        assert (reset["channel"], reset["reason"]) == (channel, "archive")
        # Whoever comes again with what came last is told no more.
        page.wait(lambda: len(page.all("caught-up")) == 2)
        client.publish(channel, "two")
        page.wait(lambda: "two" in page.texts())
        last = next(one["position"] for one in page.said if one.get("message", {}).get("message") == "two")
        page.ask("join", {"channel": channel, "after": last})
        page.wait(lambda: len(page.all("caught-up")) == 3)
        assert len(page.all("reset")) == 1
    with Page(client.url, client.key, join=[{"channel": channel, "after": "earliest"}]) as page:
        page.wait(lambda: page.texts() == ["one", "two"])
        assert page.all("reset") == []


def test_what_is_asked_wrongly_is_answered_with_what_to_do(client: Client, channel: str) -> None:
    with Page(client.url, client.key) as page:
        page.first("connect")
        for data, status, said in (
            ({"channel": "there-is-none"}, 404, "there-is-none"),
            ({"channel": channel, "after": "yesterday"}, 400, "event id"),
            ({"channel": channel, "after": 7}, 400, "after"),
            ({"channel": 7}, 400, "channel"),
            ({"channel": "a\0b"}, 400, "channel"),
            ({"channel": "a\ud800b"}, 400, "channel"),
            ({"channel": channel, "since": "now"}, 400, "channel and after"),
            (None, 400, "object"),
        ):
            answer = page.ask("join", data)
            assert answer["ok"] is False
            assert answer["error"]["status"] == status, answer
            assert said in answer["error"]["detail"]
        assert page.ask("publish", {"channel": channel})["error"]["status"] == 400
        assert page.ask("connect_", {})["ok"] is False
        # It is connected all the same.
        assert page.ask("join", {"channel": channel})["ok"] is True


@pytest.mark.parametrize("key", ["", "wrong", "session:wrong", 7, {"a": 1}])
def test_with_a_token_that_is_not_valid_nobody_is_let_in(client: Client, key: Any) -> None:
    with Page(client.url, key) as page:
        page.first("connect_error")
        assert page.all("connect") == []
        refused = next(one for one in page.said if "connect_error" in one)
        assert refused["data"]["status"] in {400, 401}
        assert refused["connect_error"] == refused["data"]["detail"]


def test_without_a_token_what_is_public_is_joined_and_nothing_else(client: Client, channel: str) -> None:
    public = f"{channel}.public"
    client.post("channels", {"channel": public, "public": True}, 201)
    with Page(client.url, None) as page:
        page.first("connect")
        refused = page.ask("join", {"channel": channel})
        assert refused["ok"] is False
        assert refused["error"]["status"] == 401
        wanted = {"channel": public, "filter": {"a": [1]}}
        assert page.ask("join", wanted)["error"]["status"] == 403
        assert page.ask("join", {"channel": public})["ok"] is True
        # Nor does it come to have one afterwards.
        assert page.ask("join", wanted)["error"]["status"] == 403
        client.publish(channel, "hidden")
        client.publish(public, "shown")
        assert page.first("message")["message"] == "shown"
    with Page(client.url, None, join=[{"channel": channel}]) as page:
        assert page.first("connect_error")
        assert page.all("connect") == []


def test_who_is_logged_in_watches_what_he_may(client: Client, browser: Any, channel: str) -> None:
    cookie = {"Cookie": f"sessionid={browser.cookies['sessionid'].value}"}
    with Page(client.url, None, headers=cookie, join=[{"channel": channel}]) as page:
        page.first("joined")
        client.publish(channel, "one")
        assert page.first("message")["message"] == "one"
    # From a page of another site he is nobody.
    url = client.url + "/socket.io/?EIO=4&transport=polling"
    assert _asked(url, {**cookie, "Origin": "https://elsewhere.example"})[0] == 403


def test_only_what_the_token_may_read_is_joined(client: Client, operator: Any, channel: str) -> None:
    key = tokens.make("narrow", operator, parse([{"scope": "read", "channels": ["other.*"]}]))[1]
    with Page(client.url, key) as page:
        page.first("connect")
        answer = page.ask("join", {"channel": channel})
        assert answer["ok"] is False
        assert answer["error"]["status"] == 403
    with Page(client.url, key, join=[{"channel": channel}]) as page:
        assert page.first("connect_error")
        assert page.all("connect") == []


@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids=["polling", "websocket"])
def test_who_loses_his_token_is_cut_and_does_not_come_again(
    client: Client, operator: Any, channel: str, transports: list[str]
) -> None:
    key = tokens.make("passing", operator, Token.Scope.READ)[1]
    with Page(client.url, key, transports=transports, join=[{"channel": channel}]) as page:
        page.first("joined")
        client.publish(channel, "one")
        page.wait(lambda: page.texts() == ["one"])
        Token.objects.get(name="passing").delete()
        began = time.monotonic()
        page.first("disconnect")
        assert time.monotonic() - began < 5
        client.publish(channel, "two")
        time.sleep(1)
        assert page.texts() == ["one"]
        assert len(page.all("connect")) == 1


def test_who_loses_a_right_on_one_channel_leaves_that_one(
    client: Client, operator: Any, channel: str
) -> None:
    other = f"{channel}.other"
    client.post("channels", {"channel": other}, 201)
    both = parse([{"scope": "read", "channels": [channel, other]}])
    key = tokens.make("shrinking", operator, both)[1]
    joins = [{"channel": channel}, {"channel": other}]
    with Page(client.url, key, join=joins) as page:
        page.wait(lambda: len(page.all("joined")) == 2)
        only = parse([{"scope": "read", "channels": [other]}])
        Token.objects.filter(name="shrinking").update(grants=only.as_json())
        began = time.monotonic()
        assert page.first("left") == {"channel": channel, "reason": "revoked"}
        assert time.monotonic() - began < 5
        client.publish(channel, "hidden")
        client.publish(other, "shown")
        assert page.first("message")["message"] == "shown"
        time.sleep(0.5)
        assert page.texts() == ["shown"]
        assert page.all("disconnect") == []


def test_what_is_no_packet_ends_the_socket_and_nothing_else(client: Client, channel: str) -> None:
    url = client.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    auth = json.dumps({"token": client.key})
    stays = ("40/other,", '42["connect",{},{}]')  # They are packets, and get nobody anywhere.
    for hostile in (
        *("", "x", "9", "4", "4x", "45", "451-[]", "42", "42{}", "42[]", "42[1]", "4" + "[" * 60_000),
        *("43[]", "41", b"\x00", "42" + '["join"' * 5_000, '42["join",' + "9" * 60_000 + "]"),
        *stays,
    ):
        with connect(url, proxy=None) as raw:
            assert str(raw.recv(10)).startswith("0{")
            raw.send(f"40{auth}")
            assert str(raw.recv(10)).startswith("40{")
            raw.send(hostile)
            if hostile in stays:
                raw.send("2probe")
                continue
            with pytest.raises(ConnectionClosed):
                _read_to_the_end(raw)
    with Page(client.url, client.key, join=[{"channel": channel}]) as page:
        page.first("joined")
        client.publish(channel, "one")
        assert page.first("message")["message"] == "one"


@pytest.mark.parametrize("body", ["", "x", "4[" + "[" * 60_000, "3[[", "d=40", "1\x1ex", "4" * 70_000])
def test_what_is_no_packet_is_not_taken_by_polling_either(client: Client, body: str) -> None:
    url = client.url + "/socket.io/?EIO=4&transport=polling"
    session = json.loads(_asked(url)[1][1:])["sid"]
    assert _asked(f"{url}&sid={session}", data=body.encode())[0] in {400, 413}


def test_nobody_polls_with_scripts(client: Client) -> None:
    assert _asked(client.url + "/socket.io/?EIO=4&transport=polling&j=0")[0] == 400


def test_nobody_else_is_answered_by_websocket(client: Client) -> None:
    with pytest.raises(Exception, match="403"):
        connect(client.url.replace("http", "ws") + "/api/v1/channels", proxy=None)


def test_a_page_of_another_origin_is_not_let_in(client: Client) -> None:
    url = client.url + "/socket.io/?EIO=4&transport=polling"
    assert _asked(url, {"Origin": client.url})[0] == 200
    assert _asked(url, {"Origin": "https://elsewhere.example"})[0] == 403
    with pytest.raises(Exception, match="403"):
        connect(
            url.replace("http", "ws", 1).replace("polling", "websocket"),
            proxy=None,
            origin=cast(Any, "https://elsewhere.example"),
        )


def test_a_page_of_an_origin_that_is_named_is_let_in(serve: Callable[..., str]) -> None:
    url = serve(RELAY_LIVE_ORIGINS="https://shown.example") + "/socket.io/?EIO=4&transport=polling"
    request = urllib.request.Request(url, headers={"Origin": "https://shown.example"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.headers["Access-Control-Allow-Origin"] == "https://shown.example"
        assert answer.headers["Access-Control-Allow-Credentials"] == "true"
    assert _asked(url, {"Origin": "https://elsewhere.example"})[0] == 403


def _read_to_the_end(raw: ClientConnection) -> None:
    while True:
        raw.recv(10)


def _asked(url: str, headers: Any = None, data: bytes | None = None) -> tuple[int, bytes]:
    """The status and the body of what is answered."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as exc:
        with exc:
            return exc.code, exc.read()
