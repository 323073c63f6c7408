"""Asking and administering: which requests are made, and what is made of their answers."""

import asyncio
import inspect
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx2
import pytest

from clients.python.tests.relay import KEY, URL, cut_off, problem, saying
from relay_client import (
    AsyncClient,
    AsyncConsumer,
    AsyncProducer,
    BadAnswer,
    ChangedMeanwhile,
    Client,
    Conflict,
    Consumer,
    NotFound,
    Producer,
    Throttled,
    Unavailable,
    Unreachable,
)
from relay_client.async_client import AsyncChannels, AsyncMessages
from relay_client.calls import Call
from relay_client.client import Channels, Messages
from relay_client.subscribing.async_subscriptions import AsyncSubscriptions
from relay_client.subscribing.subscriptions import Subscriptions

CHANNEL = {
    "id": 1,
    "channel": "orders",
    "subscription_status": "ACTIVE",
    "deduplicate": "content",
    "retention_seconds": 86400,
    "partition": 0,
    "created_at": "2026-11-21T12:00:00.123456Z",
    "updated_at": "2026-11-21T12:00:00.123456Z",
    "why_not_heard": None,
    "complete_since": "2026-11-21T12:00:00.234567Z",
    "messages_stored": 123456,
    "last_message_at": None,
}
GAP = {
    "id": 1,
    "partition": 0,
    "channel": None,
    "cause": "no listener",
    "from": "2026-11-21T12:00:00Z",
    "to": None,
    "missed_at_most": None,
    "covered": False,
}


def message(number: int, **more: Any) -> dict[str, Any]:
    return {
        "id": f"{number:024x}",
        "channel": "orders",
        "message": f"text {number}",
        "encoding": "utf-8",
        "received_at": "2026-11-21T12:00:00.123000Z",
        "position": f"1795262400125-0000000000-{number:05}",
        **more,
    }


def page(*numbers: int, following: str | None = None, **more: Any) -> dict[str, Any]:
    results = [message(number) for number in numbers]
    return {"complete": True, "gaps": [], "watermark": "9-9-9", "next": following, "results": results, **more}


class Asked:
    """What was asked; each answer is the next one."""

    def __init__(self, *answers: Any) -> None:
        self._answers = iter(answers)
        self.requests: list[httpx2.Request] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        answer = next(self._answers)
        if callable(answer):
            made: httpx2.Response = answer(request)
            return made
        return httpx2.Response(204) if answer is None else httpx2.Response(200, json=answer)

    def client(self, **more: Any) -> Client:
        return Client(URL, KEY, transport=httpx2.MockTransport(self), **more)

    @property
    def said(self) -> list[str]:
        return [f"{one.method} {one.url.raw_path.decode()}" for one in self.requests]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(one.content) for one in self.requests]


# --- requests -------------------------------------------------------------------------------------

Use = Callable[[Client], Any]


@pytest.mark.parametrize(
    ("use", "said", "body"),
    [
        (lambda c: c.channels.create("a"), "POST /channels", {"channel": "a"}),
        (
            lambda c: c.channels.create(
                "a",
                listen=True,
                deduplicate={"field": "id"},
                retention_seconds=60,
                republish=False,
                public=True,
                broadcast="alert",
            ),
            "POST /channels",
            {
                "channel": "a",
                "listen": True,
                "deduplicate": {"field": "id"},
                "retention_seconds": 60,
                "republish": False,
                "public": True,
                "broadcast": "alert",
            },
        ),
        (lambda c: c.channels.start_listening("a"), "POST /start-listening", {"channel": "a"}),
        (
            lambda c: c.channels.start_listening("a", deduplicate="every", wait_seconds=2.5),
            "POST /start-listening?wait=2.5",
            {"channel": "a", "deduplicate": "every"},
        ),
        (lambda c: c.channels.change("a/b", listen=False), "PATCH /channels/a%2Fb", {"listen": False}),
        (
            lambda c: c.channels.change(
                "a", retention_seconds=None, public=False, republish=True, deduplicate="every"
            ),
            "PATCH /channels/a",
            {"retention_seconds": None, "public": False, "republish": True, "deduplicate": "every"},
        ),
        (lambda c: c.channels.change("a", broadcast=None), "PATCH /channels/a", {"broadcast": None}),
        (lambda c: c.channels.get("a ☃?&#"), "GET /channels/a%20%E2%98%83%3F%26%23", None),
        (lambda c: c.channels.get("."), "GET /channels/%2E", None),
        (lambda c: c.channels.get(".."), "GET /channels/%2E%2E", None),
        (lambda c: c.channels.get("%2F/"), "GET /channels/%252F%2F", None),
    ],
)
def test_a_channel_is_asked_for(use: Use, said: str, body: Any) -> None:
    asked = Asked(CHANNEL)
    assert use(asked.client()).name == "orders"
    method, path = said.split(" ")
    assert asked.said == [f"{method} /api/v1{path}"]
    assert not body or asked.bodies == [body]
    assert ("Content-Type" in asked.requests[0].headers) == (body is not None)


@pytest.mark.parametrize(
    ("use", "said"),
    [
        (lambda c: c.channels.delete("a/b"), "DELETE /api/v1/channels/a%2Fb"),
        (lambda c: c.channels.delete("a", cascade=True), "DELETE /api/v1/channels/a?cascade=true"),
        (lambda c: c.channels.stop_listening("a/b"), "DELETE /api/v1/stop-listening/a%2Fb"),
    ],
)
def test_a_channel_is_deleted(use: Use, said: str) -> None:
    asked = Asked(None)
    assert use(asked.client()) is None
    assert asked.said == [said]


def test_an_address_may_have_a_path_and_a_slash() -> None:
    asked = Asked(CHANNEL)
    Client(URL + "/relay/", KEY, transport=httpx2.MockTransport(asked)).channels.get("a")
    assert asked.said == ["GET /relay/api/v1/channels/a"]


def test_many_channels_are_started_at_once() -> None:
    refused = [{"channel": "\n", "detail": "A name has no control characters."}]
    asked = Asked({"started": ["a"], "existing": ["orders"], "refused": refused})
    names = iter(["a", "orders", "\n"])
    started = asked.client().channels.start_listening_to_all(names, deduplicate="every")
    assert asked.bodies == [{"channels": ["a", "orders", "\n"], "deduplicate": "every"}]
    assert (started.started, started.existing) == (("a",), ("orders",))
    assert started.refused == {"\n": "A name has no control characters."}


def test_what_was_changed_meanwhile_is_left_alone() -> None:
    tagged = httpx2.Response(200, json=CHANNEL, headers={"ETag": '"7"'})
    asked = Asked(lambda _: tagged, saying(412), None)
    channels = asked.client().channels
    found = channels.get("orders")
    assert found.tag == '"7"'
    with pytest.raises(ChangedMeanwhile):
        channels.change("orders", listen=False, if_match=found.tag)
    channels.delete("orders", if_match=found.tag)
    assert [request.headers.get("If-Match") for request in asked.requests] == [None, '"7"', '"7"']


# --- rows -----------------------------------------------------------------------------------------


def test_a_channel_is_a_typed_row_and_has_what_a_newer_relay_adds() -> None:
    found = Asked(CHANNEL | {"colour": "red"}).client().channels.get("orders")
    assert found.created_at == datetime(2026, 11, 21, 12, 0, 0, 123456, UTC)
    assert found.last_message_at is None
    assert (found.listen, found.public) == (True, False)
    assert found.raw["colour"] == "red"
    unheard = CHANNEL | {"subscription_status": None, "listen": False, "public": True}
    found = Asked(unheard).client().channels.get("orders")
    assert (found.subscription_status, found.listen, found.public) == (None, False, True)
    assert found.broadcast is None
    assert Asked(unheard | {"broadcast": "alert"}).client().channels.get("orders").broadcast == "alert"


def test_a_message_has_its_payload_byte_for_byte() -> None:
    rows = [
        message(1),
        message(2, message="//4=", encoding="base64", attributes={"a": "b"}, produced_by="till"),
        message(3, content_type="", attributes=None, produced_by=None),
    ]
    found = [Asked(row).client().messages.get("x") for row in rows]
    assert [one.payload for one in found] == [b"text 1", b"\xff\xfe", b"text 3"]
    assert [one.attributes for one in found] == [{}, {"a": "b"}, {}]
    assert [(one.produced_by, one.content_type) for one in found] == [
        (None, None),
        ("till", None),
        (None, None),
    ]


@pytest.mark.parametrize(
    "row",
    [{}, [], "text", 7, None, CHANNEL | {"created_at": "yesterday"}, CHANNEL | {"created_at": 7}],
    ids=str,
)
def test_what_is_no_row_is_said_to_be_none(row: Any) -> None:
    answer = (lambda _: httpx2.Response(200, json=row)) if row is None else row
    with pytest.raises(BadAnswer, match="channel"):
        Asked(answer).client().channels.get("orders")


@pytest.mark.parametrize(
    "page",
    [{}, [], "text", 7, None, {"results": None}, {"results": [7]}, {"results": [], "next": "http://["}],
    ids=str,
)
@pytest.mark.parametrize("use", [lambda c: c.channels.list(), lambda c: c.messages.search("orders")])
def test_what_is_no_page_is_said_to_be_none(use: Use, page: Any) -> None:
    if isinstance(page, dict):
        page = {"complete": True, "gaps": [], "watermark": None, **page}
    with pytest.raises(BadAnswer):
        list(use(Asked(lambda _: httpx2.Response(200, json=page)).client()))

    async def use_async() -> None:
        asked = httpx2.MockTransport(lambda _: httpx2.Response(200, json=page))
        async with AsyncClient(URL, KEY, transport=asked) as client:
            [_ async for _ in use(client)]

    with pytest.raises(BadAnswer):
        asyncio.run(use_async())


def test_pages_of_any_call_end_with_one_that_is_none() -> None:
    assert list(Asked([]).client().pages(Call("GET", "/channels"))) == [[]]


def test_an_address_that_is_too_long_for_one_is_not_asked_again() -> None:
    asked, name, began = Asked(), "x" * 70_000, time.monotonic()
    for use in (asked.client().channels.get, asked.client().messages.get):
        with pytest.raises(Unreachable) as raised:
            use(name)
        assert not raised.value.was_sent

    async def use_async() -> None:
        async with AsyncClient(URL, KEY, transport=httpx2.MockTransport(asked)) as client:
            await client.channels.get(name)

    with pytest.raises(Unreachable):
        asyncio.run(use_async())
    assert asked.requests == []
    assert time.monotonic() - began < 5


def test_a_page_that_is_not_json_is_said_to_be_none() -> None:
    with pytest.raises(BadAnswer, match="not JSON"):
        Asked(lambda _: httpx2.Response(200, text="<html>")).client().channels.get("orders")


# --- pages ----------------------------------------------------------------------------------------


def test_a_search_goes_on_from_page_to_page_when_it_is_wanted() -> None:
    elsewhere = "http://inside:8000/api/v1/messages?channel=a%2Fb&order=asc&limit=2&cursor="
    asked = Asked(page(1, 2, following=elsewhere + "x%2B1"), page(3, following=elsewhere + "y"), page())
    found = asked.client().messages.search("a/b", order="asc", page_size=2)
    assert isinstance(found, Iterator)
    assert asked.said == []
    assert [next(found).text, next(found).text] == ["text 1", "text 2"]
    assert len(asked.said) == 1
    assert [one.text for one in found] == ["text 3"]
    assert asked.said == [
        "GET /api/v1/messages?channel=a%2Fb&order=asc&limit=2",
        "GET /api/v1/messages?channel=a%2Fb&order=asc&limit=2&cursor=x%2B1",
        "GET /api/v1/messages?channel=a%2Fb&order=asc&limit=2&cursor=y",
    ]


def test_a_key_goes_to_no_other_host_than_the_one_that_was_given() -> None:
    asked = Asked(page(1, following="https://evil.example.org/steal?cursor=x"), page())
    assert len(list(asked.client().messages.search("a"))) == 1
    assert {request.url.host for request in asked.requests} == {"relay.example.org"}
    assert {request.url.path for request in asked.requests} == {"/api/v1/messages"}


def test_redirections_are_not_followed() -> None:
    asked = Asked(lambda _: httpx2.Response(307, headers={"Location": "https://evil.example.org/"}))
    with pytest.raises(Exception, match="307"):
        asked.client().channels.create("a")
    assert len(asked.requests) == 1


def test_a_page_says_what_may_be_missing() -> None:
    asked = Asked(page(1, complete=False, gaps=[GAP], watermark=None))
    [found] = asked.client().messages.pages("orders")
    assert (found.complete, found.watermark, len(found.messages)) == (False, None, 1)
    assert found.gaps[0].begins_at == datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    assert (found.gaps[0].ends_at, found.gaps[0].cause) == (None, "no listener")


def test_times_need_a_zone_and_are_sent_with_it() -> None:
    asked = Asked(page())
    zone = timezone(timedelta(hours=2))
    list(asked.client().messages.search("a", since=datetime(2026, 1, 2, tzinfo=zone), contains="x y"))
    assert asked.requests[0].url.params["since"] == "2026-01-02T00:00:00+02:00"
    assert asked.requests[0].url.params["contains"] == "x y"
    with pytest.raises(ValueError, match="time zone"):
        next(asked.client().messages.search("a", until=datetime(2026, 1, 2)))


def test_channels_are_listed_page_by_page() -> None:
    rows = [CHANNEL | {"channel": name} for name in "abc"]
    asked = Asked(
        {"count": 3, "next": "/api/v1/channels?limit=2&cursor=x", "results": rows[:2]},
        {"count": 3, "next": None, "results": rows[2:]},
    )
    assert [
        found.name for found in asked.client().channels.list(search="x", status="ACTIVE", page_size=2)
    ] == [*"abc"]
    assert asked.said == [
        "GET /api/v1/channels?search=x&status=ACTIVE&limit=2",
        "GET /api/v1/channels?limit=2&cursor=x",
    ]


# --- errors ---------------------------------------------------------------------------------------


def test_errors_say_what_relay_said() -> None:
    def conflict(_: httpx2.Request) -> httpx2.Response:
        return problem(
            409, "channel-exists", "It is there.", help="https://help", errors={"channel": ["It is there."]}
        )

    with pytest.raises(Conflict) as raised:
        Asked(conflict).client().channels.create("a")
    error = raised.value
    assert (error.status, error.type, error.detail) == (
        409,
        "urn:relay:problem:channel-exists",
        "It is there.",
    )
    assert (error.title, error.help) == ("A title", "https://help")
    assert error.errors == {"channel": ["It is there."]}
    assert str(error) == "409 A title (urn:relay:problem:channel-exists): It is there."


@pytest.mark.parametrize("step", [saying(503), saying(429), saying(502), cut_off])
def test_what_only_reads_is_asked_again(step: Any) -> None:
    asked = Asked(step, step, CHANNEL)
    assert asked.client().channels.get("orders").name == "orders"
    assert len(asked.requests) == 3


@pytest.mark.parametrize(
    ("step", "error"), [(saying(503), Unavailable), (saying(429), Throttled), (cut_off, Unreachable)]
)
def test_what_changes_something_is_not(step: Any, error: type[Exception]) -> None:
    asked = Asked(step)
    with pytest.raises(error):
        asked.client().channels.create("orders")
    assert len(asked.requests) == 1


def test_asking_again_ends() -> None:
    asked = Asked(*[saying(503, Retry_After="100")] * 2)
    began = time.monotonic()
    with pytest.raises(Unavailable) as raised:
        asked.client().channels.get("orders")
    assert raised.value.retry_after_seconds == 100
    assert len(asked.requests) == 1, "it would be too late"
    with pytest.raises(Unavailable):
        asked.client(retry_seconds=0).channels.get("orders")
    assert time.monotonic() - began < 5


def test_what_is_not_there_is_not_asked_for_again() -> None:
    asked = Asked(saying(404))
    with pytest.raises(NotFound):
        asked.client().channels.get("orders")


@pytest.mark.parametrize(
    "url",
    ["", "relay.example.org", "ftp://relay", "https://", "https://user:password@relay", "https://relay?a=b"],
)
def test_an_address_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="address of Relay"):
        Client(url, KEY)


# --- asyncio --------------------------------------------------------------------------------------


def test_with_asyncio_it_is_the_same() -> None:
    following = "/api/v1/messages?channel=a&cursor=x"
    asked = Asked(
        CHANNEL, saying(503), page(1, 2, following=following), page(3), message(1), None,
        {"count": 1, "next": None, "results": [CHANNEL]}, saying(404),
    )  # fmt: skip

    async def use() -> None:
        async with AsyncClient(URL, KEY, transport=httpx2.MockTransport(asked)) as client:
            assert (await client.channels.create("a")).name == "orders"
            assert [one.text async for one in client.messages.search("a")] == ["text 1", "text 2", "text 3"]
            assert (await client.messages.get("1")).text == "text 1"
            await client.channels.delete("a")
            assert [one.name async for one in client.channels.list()] == ["orders"]
            with pytest.raises(NotFound):
                await client.channels.get("a")

    asyncio.run(use())
    assert [said.partition(" ")[0] for said in asked.said] == ["POST", *["GET"] * 4, "DELETE", "GET", "GET"]


@pytest.mark.parametrize(
    ("for_threads", "for_asyncio"),
    [
        (Client, AsyncClient),
        (Channels, AsyncChannels),
        (Messages, AsyncMessages),
        (Subscriptions, AsyncSubscriptions),
        (Consumer, AsyncConsumer),
        (Producer, AsyncProducer),
    ],
)
def test_both_kinds_offer_the_same(for_threads: type, for_asyncio: type) -> None:
    def offered(kind: type) -> dict[str, Any]:
        methods = {name: each for name, each in vars(kind).items() if not name.startswith("_")}
        return {name: list(inspect.signature(each).parameters.items())[1:] for name, each in methods.items()}

    assert offered(for_threads) == offered(for_asyncio)
