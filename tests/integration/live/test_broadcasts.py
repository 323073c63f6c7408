"""What goes to every socket: to public clients of any age that join nothing, each message once."""

import json
import time
from collections.abc import Callable

import pytest

from channels_app import registration
from relaycore.policy import EVERY
from tests.integration.live.page import BOTH, NEWEST, OLDEST, POLLING, WEBSOCKET, Page
from tests.integration.live.viewers import heard, viewer
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

CLIENTS = [
    pytest.param(library, transports, id=f"{library}-{'-'.join(transports or ['alone'])}")
    for library in (NEWEST, OLDEST)
    for transports in (POLLING, WEBSOCKET, BOTH, None)
]

AT = "2026-11-27T10:00:00+00:00"
ALERT = {"location": "Gate 1", "type": "Fire", "eventType": "open", "sentTime": AT, "startTime": AT}


@pytest.mark.parametrize(("library", "transports"), CLIENTS)
def test_who_joins_nothing_and_shows_nothing_hears_each_message_once_with_one_argument(
    client: Client, told: str, library: str, transports: list[str] | None
) -> None:
    with viewer(client.url, library=library, transports=transports) as page:
        page.first("connect")
        client.publish(told, json.dumps(ALERT), json.dumps(ALERT | {"eventType": "close"}))
        client.publish(told, json.dumps({"number": 3}))
        page.wait(lambda: len(heard(page)) == 3)
        assert page.all("heard") == [[ALERT], [ALERT | {"eventType": "close"}], [{"number": 3}]]


def test_what_is_no_json_comes_as_text(client: Client, told: str) -> None:
    texts = ["plain", '"quoted"', "NaN", '{"a": NaN}', "[1, 2", "9" * 5000, "zwei €\u2028", "null", " [1] "]
    with viewer(client.url) as page:
        page.first("connect")
        client.publish(told, *texts)
        page.wait(lambda: len(heard(page)) == len(texts))
        assert heard(page) == [
            *("plain", "quoted", "NaN", '{"a": NaN}', "[1, 2", "9" * 5000, "zwei €\u2028", None, [1])
        ]


def test_who_is_let_in_with_a_token_and_joins_hears_both(client: Client, told: str) -> None:
    with Page(client.url, client.key, script="viewer.mjs", event="alert") as page:
        page.first("connect")
        assert page.ask("join", {"channel": told})["ok"] is True
        client.publish(told, "1", "2")
        page.wait(lambda: heard(page) == [1, 2])


def test_what_does_not_go_to_all_and_what_is_private_is_not_heard(client: Client, channel: str) -> None:
    other = f"{channel}.other"
    registration.start(other, EVERY, listen=False, public=True)
    with viewer(client.url) as page:
        page.first("connect")
        client.publish(channel, "hidden")
        client.publish(other, "hidden too")
        time.sleep(1)
        assert heard(page) == []


def test_what_somebody_does_with_an_alert_is_no_alert_and_is_there_for_who_joins(
    client: Client, told: str
) -> None:
    def say(event: str, text: str) -> None:
        attributes = {"alert-id": "0123456789abcdef01234567", "event": event, "rule": "0" * 32}
        body = {"messages": [{"message": text, "attributes": attributes}]}
        client.post(f"channels/{told}/messages?confirm=stored", body, 201)

    with (
        viewer(client.url) as page,
        Page(client.url, client.key, script="viewer.mjs", event="message") as one,
    ):
        for each in (page, one):
            each.first("connect")
        assert one.ask("join", {"channel": told})["ok"] is True
        for event in ("open", "acknowledge", "release", "close"):
            say(event, json.dumps({"eventType": event}))
        one.wait(lambda: len(heard(one)) == 4)
        page.wait(lambda: len(heard(page)) == 2)
        assert [said["eventType"] for said in heard(page)] == ["open", "close"]
        assert [said["attributes"]["event"] for said in heard(one)][1:3] == ["acknowledge", "release"]


def test_a_change_counts_for_those_that_are_connected(client: Client, channel: str) -> None:
    other = f"{channel}.other"
    registration.start(other, EVERY, listen=False)
    with viewer(client.url) as page, viewer(client.url, event="notice") as noticed:
        page.first("connect")
        noticed.first("connect")
        registration.change(channel, public=True, broadcast="alert")
        _until_heard(client, channel, page, '"warm"')
        registration.change(other, public=True, broadcast="alert")
        _until_heard(client, other, page, '"other"')
        before = len(heard(page))
        client.publish(channel, "1", "2")
        client.publish(other, "3")
        page.wait(lambda: heard(page)[before:] == [1, 2, 3])
        registration.change(other, broadcast="notice")
        _until_heard(client, other, noticed, '"again"')
        registration.change(channel, public=False, broadcast="")
        time.sleep(2.5)
        seen = len(heard(page))
        client.publish(channel, "hidden")
        client.publish(other, '"last"')
        noticed.wait(lambda: "last" in heard(noticed))
        time.sleep(0.3)
        assert heard(page)[seen:] == []
        assert len(page.all("connect")) == 1, "nobody had to come again for it"


def test_nothing_is_missed_or_doubled_while_the_list_changes_again_and_again(
    client: Client, told: str
) -> None:
    other = f"{told}.other"
    registration.start(other, EVERY, listen=False, public=True)
    with viewer(client.url) as page:
        page.first("connect")
        numbers = iter(range(1_000_000))
        sent = []
        for turn in range(6):
            registration.change(other, broadcast="notice" if turn % 2 == 0 else "")
            until = time.monotonic() + 1.2
            while time.monotonic() < until:
                some = [next(numbers) for _ in range(5)]
                client.publish(told, *map(str, some))
                sent += some
        page.wait(lambda: len(heard(page)) >= len(sent))
        assert heard(page) == sent


@pytest.mark.parametrize("transports", [POLLING, WEBSOCKET], ids=["polling", "websocket"])
def test_a_new_client_that_comes_again_is_told_what_it_has_missed(
    client: Client, told: str, transports: list[str]
) -> None:
    with viewer(client.url, transports=transports) as page:
        page.first("connect")
        for number in range(5):
            page.break_off()
            client.publish(told, str(number))
            page.wait(lambda wanted=number + 1: len(heard(page)) == wanted)  # type: ignore[misc]
        assert heard(page) == [0, 1, 2, 3, 4]
        assert [one["recovered"] for one in page.said if "connect" in one][1:] == [True] * 5


def test_every_one_of_several_processes_tells_it_once(
    client: Client, told: str, serve: Callable[..., str]
) -> None:
    urls = [client.url, serve(RELAY_WEB_REQUESTS_PER_MINUTE="0")]
    with viewer(urls[0]) as first, viewer(urls[1]) as second:
        for page in (first, second):
            page.first("connect")
        client.publish(told, "1", "2", "3")
        for page in (first, second):
            page.wait(lambda page=page: heard(page) == [1, 2, 3])  # type: ignore[misc]


def test_a_page_of_another_origin_hears_it_where_any_may(
    told: str, serve: Callable[..., str], client: Client
) -> None:
    url = serve(RELAY_LIVE_ORIGINS="*")
    with viewer(url, headers={"Origin": "https://elsewhere.example"}) as page:
        page.first("connect")
        client.publish(told, "1")
        page.wait(lambda: heard(page) == [1])


def _until_heard(client: Client, channel: str, page: Page, text: str) -> None:
    """A change counts within two seconds: what is published then is heard."""
    until = time.monotonic() + 3
    while json.loads(text) not in heard(page):
        assert time.monotonic() < until, page.said
        client.publish(channel, text)
        time.sleep(0.1)
