"""Subscriptions: which requests are made, and what is made of their answers."""

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from clients.python.tests.handing import NAME, PlayedRelay, position_of
from clients.python.tests.relay import KEY, URL, problem, saying
from clients.python.tests.test_client import Asked
from relay_client import (
    AsyncClient,
    BadAnswer,
    ChangedMeanwhile,
    Client,
    CursorMoved,
    Done,
    Lag,
    NotFound,
    Settled,
    Skipped,
    Sought,
)

ROW = {
    "id": 1,
    "name": "billing",
    "channel": "orders",
    "kind": "pull",
    "mode": "lease",
    "state": "paused",
    "reason": "holidays",
    "filter": {"kind": ["paid"]},
    "filter_scope": "body",
    "order": "none",
    "delay_seconds": 0,
    "ack_deadline_seconds": 30,
    "max_deliveries": 5,
    "max_outstanding": 1000,
    "position": position_of(7),
    "lag": {"messages": 3, "exact": False, "age_seconds": 1.5},
    "url": "http://relay/api/v1/subscriptions/billing",
}
LETTER = {
    "id": "0" * 24,
    "position": position_of(1),
    "attempts": 5,
    "why": "given back",
    "died_at": "2026-11-21T12:00:00Z",
    "expired": True,
}
ENDED = {
    "at": "2026-11-21T12:00:00Z",
    "cause": "dead",
    "why": "given back",
    "after": None,
    "upto": position_of(1),
    "messages": 1,
}
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
Use = Callable[[Any], Any]


@pytest.mark.parametrize(
    ("use", "said", "body"),
    [
        (
            lambda s: s.create("billing", "orders", mode="cursor", start="latest"),
            "POST /subscriptions",
            {"name": "billing", "channel": "orders", "kind": "pull", "mode": "cursor", "start": "latest"},
        ),
        (
            lambda s: s.create(
                "billing",
                "orders",
                mode="lease",
                start=NOON,
                filter={"kind": ["paid"]},
                filter_scope="attributes",
                order="channel",
                delay_seconds=1,
                ack_deadline_seconds=2,
                max_deliveries=3,
                max_outstanding=4,
            ),
            "POST /subscriptions",
            {
                "name": "billing",
                "channel": "orders",
                "kind": "pull",
                "mode": "lease",
                "start": {"time": "2026-11-21T12:00:00+00:00"},
                "filter": {"kind": ["paid"]},
                "filter_scope": "attributes",
                "order": "channel",
                "delay_seconds": 1,
                "ack_deadline_seconds": 2,
                "max_deliveries": 3,
                "max_outstanding": 4,
            },
        ),
        (lambda s: s.get("a b"), "GET /subscriptions/a%20b", None),
        (
            lambda s: s.change("billing", filter=None, max_deliveries=None),
            "PATCH /subscriptions/billing",
            {"filter": None, "max_deliveries": None},
        ),
        (lambda s: s.pause("billing"), "POST /subscriptions/billing/pause", {}),
        (lambda s: s.pause("billing", "why"), "POST /subscriptions/billing/pause", {"reason": "why"}),
        (lambda s: s.resume("billing"), "POST /subscriptions/billing/resume", {"from": "here"}),
        (
            lambda s: s.resume("billing", NOON),
            "POST /subscriptions/billing/resume",
            {"from": {"time": "2026-11-21T12:00:00+00:00"}},
        ),
    ],
)
def test_a_subscription_is_asked_for(use: Use, said: str, body: Any) -> None:
    asked = Asked(ROW)
    found = use(asked.client().subscriptions)
    method, path = said.split(" ")
    assert asked.said == [f"{method} /api/v1{path}"]
    assert body is None or asked.bodies == [body]
    assert (found.name, found.mode, found.state, found.reason) == ("billing", "lease", "paused", "holidays")
    assert found.lag == Lag(3, False, 1.5)
    assert (found.max_deliveries, found.ack_deadline_seconds, found.position) == (5, 30, position_of(7))
    assert found.raw["url"]


@pytest.mark.parametrize(
    ("use", "answer", "said", "body", "expected"),
    [
        (
            lambda s: s.seek("a", {"position": "p"}, dry_run=True),
            {"from": "x", "to": "y", "messages": 7, "exact": True},
            "POST /subscriptions/a/seek",
            {"to": {"position": "p"}, "dry_run": True},
            Sought("x", "y", 7, True),
        ),
        (
            lambda s: s.size("a"),
            {"messages": 1, "exact": True, "age_seconds": None},
            "GET /subscriptions/a/size",
            None,
            Lag(1, True, None),
        ),
        (
            lambda s: s.redrive("a"),
            {"messages": 2, "expired": 1},
            "POST /subscriptions/a/dead-letters/redrive",
            {"all": True},
            Done(2, 1),
        ),
        (
            lambda s: s.redrive("a", since=NOON, dry_run=True),
            {"messages": 2, "expired": 1},
            "POST /subscriptions/a/dead-letters/redrive",
            {"since": "2026-11-21T12:00:00+00:00", "dry_run": True},
            Done(2, 1),
        ),
        (
            lambda s: s.drop("a", ids=["1", "2"]),
            {"messages": 2},
            "POST /subscriptions/a/dead-letters/drop",
            {"ids": ["1", "2"]},
            Done(2, 0),
        ),
        (lambda s: s.skip("a", "1"), {"messages": 1}, "POST /subscriptions/a/skip", {"id": "1"}, None),
        (lambda s: s.delete("a"), None, "DELETE /subscriptions/a", None, None),
    ],
)
def test_what_is_done_to_a_subscription(use: Use, answer: Any, said: str, body: Any, expected: Any) -> None:
    asked = Asked(answer)
    assert use(asked.client().subscriptions) == expected
    method, path = said.split(" ")
    assert asked.said == [f"{method} /api/v1{path}"]
    assert body is None or asked.bodies == [body]


def test_lists_are_asked_for_page_by_page() -> None:
    link = "http://relay/x?cursor=c"
    asked = Asked({"next": link, "results": [ROW]}, {"next": None, "results": [ROW]})
    found = list(
        asked.client().subscriptions.list(channel="orders", mode="lease", state="paused", search="b")
    )
    assert [one.name for one in found] == ["billing", "billing"]
    assert asked.said == [
        "GET /api/v1/subscriptions?channel=orders&mode=lease&state=paused&search=b",
        "GET /api/v1/subscriptions?cursor=c",
    ]
    [letter] = Asked({"next": None, "results": [LETTER]}).client().subscriptions.dead_letters("a")
    assert (letter.attempts, letter.why, letter.died_at, letter.is_expired) == (5, "given back", NOON, True)
    asked = Asked({"next": None, "results": [ENDED]})
    [ended] = asked.client().subscriptions.undelivered("a", since=NOON)
    assert (ended.cause, ended.why, ended.after, ended.upto) == ("dead", "given back", None, position_of(1))
    assert asked.said == ["GET /api/v1/subscriptions/a/undelivered?since=2026-11-21T12%3A00%3A00%2B00%3A00"]


def test_which_dead_letters_is_said_once() -> None:
    with pytest.raises(ValueError, match="Either"):
        Asked().client().subscriptions.drop("a", ids=[], since=NOON)
    with pytest.raises(ValueError, match="zone"):
        Asked().client().subscriptions.seek("a", datetime(2026, 1, 1))


def test_tags_and_errors() -> None:
    tagged = httpx2.Response(200, json=ROW, headers={"ETag": '"7"'})
    asked = Asked(lambda _: tagged, saying(412), saying(404))
    subscriptions = asked.client().subscriptions
    found = subscriptions.get("billing")
    with pytest.raises(ChangedMeanwhile):
        subscriptions.change("billing", max_outstanding=1, if_match=found.tag)
    assert asked.requests[1].headers["If-Match"] == '"7"'
    with pytest.raises(NotFound):
        subscriptions.delete("billing", if_match='"7"')


def played(mode: str, count: int) -> tuple[PlayedRelay, Client]:
    relay = PlayedRelay(mode, time.monotonic, count=count)
    return relay, Client(URL, KEY, transport=httpx2.MockTransport(relay.respond))


def test_messages_are_taken_by_hand_with_a_cursor() -> None:
    relay, client = played("cursor", 5)
    relay.skipped = {"from": "a", "to": "b", "count": 3}
    got = client.subscriptions.fetch(NAME, messages=2, size=1000, wait_seconds=0)
    assert [one.text for one in got.messages] == ["text 0", "text 1"]
    assert (got.skipped, got.is_active, got.generation) == (Skipped("a", "b", 3), True, 1)
    assert client.subscriptions.commit(NAME, got.position, got.generation).position == position_of(1)
    with pytest.raises(CursorMoved) as raised:
        client.subscriptions.commit(NAME, position_of(4))
    assert (raised.value.position, raised.value.generation) == (position_of(1), 1)


def test_messages_are_taken_by_hand_with_leases() -> None:
    relay, client = played("lease", 3)
    got = client.subscriptions.fetch(NAME, messages=3, size=1000)
    tokens = [one.lease.token for one in got.messages if one.lease]
    assert [one.lease and one.lease.attempt for one in got.messages] == [1, 1, 1]
    assert client.subscriptions.ack(NAME, tokens[:1]) == [Settled(tokens[0], True, None)]
    assert client.subscriptions.ack(NAME, tokens[:1]) == [Settled(tokens[0], False, "Too late.")]
    assert client.subscriptions.extend(NAME, tokens[1:2], 60)[0].is_ok
    assert client.subscriptions.nack(NAME, tokens[1:], delay_seconds=0)[1].is_ok
    assert relay.bodies("nack") == [{"tokens": tokens[1:], "delay_seconds": 0}]
    assert relay.done == [0]


@pytest.mark.parametrize(
    "said",
    [{}, [], {"results": []}, {"results": [{"token": "other", "ok": True, "error": None}]}, {"results": [7]}],
    ids=str,
)
def test_results_of_something_else_are_none(said: Any) -> None:
    with pytest.raises(BadAnswer):
        Asked(said).client().subscriptions.ack("a", ["token"])


def test_a_position_is_text() -> None:
    said = {"messages": [], "position": 7, "generation": 1, "skipped": None, "state": "active"}
    with pytest.raises(BadAnswer, match="position is text"):
        Asked(said).client().subscriptions.fetch("a")


def test_a_moved_cursor_that_says_nothing_is_one_nevertheless() -> None:
    answer = lambda _: problem(409, "cursor-moved", "Elsewhere.")  # noqa: E731
    with pytest.raises(CursorMoved) as raised:
        Asked(answer).client().subscriptions.commit("a", "p")
    assert (raised.value.position, raised.value.generation) == ("", 0)


def test_with_asyncio_it_is_the_same() -> None:
    pages = {"next": None, "results": [ROW]}
    letters, ended = ({"next": None, "results": [row]} for row in (LETTER, ENDED))
    settled = {"results": [{"token": "t", "ok": True, "error": None}]}
    asked = Asked(
        ROW, pages, letters, ended, {"messages": 1, "exact": True, "age_seconds": 0.5}, settled, None
    )

    async def use() -> None:
        async with AsyncClient(URL, KEY, transport=httpx2.MockTransport(asked)) as client:
            subscriptions = client.subscriptions
            assert (await subscriptions.get("billing")).name == "billing"
            assert [one.name async for one in subscriptions.list()] == ["billing"]
            assert [one.attempts async for one in subscriptions.dead_letters("billing")] == [5]
            assert [one.cause async for one in subscriptions.undelivered("billing")] == ["dead"]
            assert (await subscriptions.size("billing")).messages == 1
            assert (await subscriptions.ack("billing", ["t"]))[0].is_ok
            await subscriptions.delete("billing")

    asyncio.run(use())


EXAMPLE = """
import httpx2, time
from clients.python.tests.handing import PlayedRelay
relay = PlayedRelay("lease", time.monotonic, count=1001)
def answer(self, request):
    path = request.url.path
    if path.endswith("/subscriptions"):
        return httpx2.Response(201, json=relay.get({})[1])
    if path.endswith("/size"):
        return httpx2.Response(200, json={"messages": len(relay.rows), "exact": True, "age_seconds": None})
    return relay.respond(request)
httpx2.HTTPTransport.handle_request = answer
"""


def test_the_example_of_the_readme_does_what_it_shows() -> None:
    """Against a played Relay; the acceptance tests have a real one."""
    package = Path(__file__).parents[1]
    page = (package / "README.md").read_text()
    example, shown = re.findall(r"^```(?:python|text)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[2:4]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLE + example],
        env={"RELAY": URL, "TOKEN": KEY, "PYTHONPATH": f"{package.parents[1]}:{package / 'src'}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown
