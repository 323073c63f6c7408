"""Whether those who watch are shown what is stored: what nobody knows counts as no."""

import asyncio
import time
from typing import Any

import pytest

from live import hub as hubs
from live.counting import COUNTS, Showing
from live.hub import Hub, Wanted
from messages_app.searching.following import Follower
from relaycore.errors import Disconnected
from tests.unit.live.hubs import come


def test_where_nobody_is_nothing_is_wrong() -> None:
    assert Showing().trouble(1000.0) == ""


def test_what_was_found_last_holds() -> None:
    showing = Showing()
    showing.look("MongoDB is away", 0.0)
    assert showing.trouble(1.0) == "MongoDB is away"
    showing.look("", 1.0)
    assert showing.trouble(2.0) == ""
    showing.look("MongoDB is away", 2.0)
    showing.end()
    assert showing.trouble(3.0) == ""


@pytest.mark.parametrize("is_looked_after", [True, False])
def test_whom_nobody_looks_after_is_not_known_to_be_well(is_looked_after: bool) -> None:
    showing = Showing()
    showing.let_in(0.0)
    if is_looked_after:
        showing.look("", 5.0)
    assert showing.trouble(9.0) == ""
    said = f"for {12 if is_looked_after else 17} s nobody has looked after those who watch"
    assert showing.trouble(17.0) == said
    showing.end()
    assert showing.trouble(100.0) == ""


def test_who_is_turned_away_is_remembered_until_somebody_comes_or_nobody_does() -> None:
    showing = Showing()
    showing.turn_away("Redis is away", 0.0)
    assert showing.trouble(29.0) == "whoever comes is turned away: Redis is away"
    assert showing.trouble(31.0) == ""
    showing.turn_away("Redis is away", 40.0)
    showing.let_in(41.0)
    assert showing.trouble(42.0) == ""


@pytest.fixture
def showing(monkeypatch: pytest.MonkeyPatch) -> Showing:
    monkeypatch.setattr(COUNTS, "showing", found := Showing())
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 0.001)
    return found


def test_a_hub_that_lets_nobody_in_says_so(showing: Showing, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: Any) -> Any:
        raise Disconnected("Redis is away")

    async def play() -> None:
        hub = Hub()
        monkeypatch.setattr(hub, "_stands", away)
        with pytest.raises(Disconnected):
            await hub.open(Wanted(("c",), "token:1", None))
        assert showing.trouble(time.monotonic()).endswith("Redis is away")

    asyncio.run(play())


def test_a_hub_whose_follower_hears_nothing_says_so_while_somebody_watches(
    showing: Showing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Follower, "trouble", lambda *_: "new messages are seen a second late")

    async def play() -> None:
        hub = Hub()
        viewer = come(hub)
        watching = asyncio.create_task(hub._watch())
        async with asyncio.timeout(5):
            while showing.trouble(time.monotonic()) != "new messages are seen a second late":
                await asyncio.sleep(0.001)
            hub.forget(viewer)
            await watching
        assert showing.trouble(time.monotonic()) == ""

    asyncio.run(play())


def test_of_an_event_loop_that_has_ended_no_trouble_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hubs, "LOOK_SECONDS", 60.0)

    async def watch_and_end() -> None:
        hub = Hub()
        hub._viewers[object()] = None  # type: ignore[index]
        watching = asyncio.create_task(hub._watch())
        await asyncio.sleep(0)
        COUNTS.showing.look("MongoDB is away", time.monotonic())
        assert not watching.done()

    asyncio.run(watch_and_end())
    assert COUNTS.showing.trouble(time.monotonic()) == ""
