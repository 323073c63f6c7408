"""Pages of the archive: read once for all who stand at the same place, or close together."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from live import archive as asked
from live import pages
from live.archive import Standing
from live.hub import Hub
from live.pages import Pages
from relaycore.errors import Disconnected
from relaycore.live.ring import Entry
from relaycore.live.walk import Page, Read
from relaycore.position import START, first_of

MOST = 10
CHANNELS = frozenset({"c"})


def position(number: int) -> str:
    return first_of(f"{number}-0")


class Archive:
    """Has so many messages, all of them below its watermark."""

    def __init__(self, messages: int, below: int = 1000) -> None:
        self.messages = messages
        self.below = below
        self.reads: list[str] = []
        self.fails = 0

    def read(self, channels: frozenset[str], after: str, floor: str) -> Page:
        self.reads.append(after)
        time.sleep(0.01)
        if self.fails:
            self.fails -= 1
            raise Disconnected("away")
        found = [position(number) for number in range(1, self.messages + 1) if position(number) > after]
        entries = [Entry({"channel": "c", "position": one, "message": "x" * 1000}) for one in found[:MOST]]
        return Page(after, entries, len(found) > MOST, position(self.below), floor, {})


Ask = Callable[..., "asyncio.Future[Page]"]


def play(archive: Archive, monkeypatch: pytest.MonkeyPatch, work: Callable[[Pages, Ask], Any]) -> None:
    monkeypatch.setattr(asked, "read", archive.read)

    async def run() -> None:
        found = Pages(1 << 20)

        def ask(after: int, floor: int = 0) -> "asyncio.Future[Page]":
            place = position(after) if after else START
            read = Read(None, CHANNELS, place, position(floor) if floor else START)  # type: ignore[arg-type]
            return asyncio.ensure_future(found.find(read))

        await work(found, ask)

    asyncio.run(run())


def test_who_stands_at_the_same_place_shares_one_read(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(100)

    async def work(found: Pages, ask: Ask) -> None:
        given = await asyncio.gather(*(ask(0) for _ in range(1000)))
        assert all(page is given[0] for page in given)
        assert await ask(0) is given[0]

    play(archive, monkeypatch, work)
    assert len(archive.reads) == 1


def test_who_stands_close_by_finds_his_place_in_the_page_of_another(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(100)

    async def work(found: Pages, ask: Ask) -> None:
        given = await asyncio.gather(*(ask(number % MOST) for number in range(500)))
        assert all(page.serves(position(number % MOST)) for number, page in enumerate(given))

    play(archive, monkeypatch, work)
    assert len(archive.reads) == 1


def test_where_there_is_nothing_for_now_nobody_asks_behind_another(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(5, below=6)

    async def work(found: Pages, ask: Ask) -> None:
        given = await asyncio.gather(*(ask(5, floor=8) for _ in range(200)))
        assert not any(page.serves(position(5)) for page in given)

    play(archive, monkeypatch, work)
    assert len(archive.reads) == 1


def test_what_fails_fails_for_all_who_wait_and_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(5)
    archive.fails = 1

    async def work(found: Pages, ask: Ask) -> None:
        given = await asyncio.gather(*(ask(0) for _ in range(50)), return_exceptions=True)
        assert all(isinstance(one, Disconnected) for one in given)
        assert (await ask(0)).serves(START)

    play(archive, monkeypatch, work)
    assert len(archive.reads) == 2


def test_who_stops_waiting_takes_it_from_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work(found: Pages, ask: Ask) -> None:
        first, second = ask(0), ask(0)
        await asyncio.sleep(0)
        first.cancel()
        assert (await second).serves(START)

    play(Archive(5), monkeypatch, work)


def test_what_is_kept_has_a_bound_and_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive(1000)

    async def work(found: Pages, ask: Ask) -> None:
        for place in range(0, 1000, MOST):
            await ask(place)
        assert 0 < found.size <= 1 << 20
        monkeypatch.setattr(pages, "KEEP_SECONDS", 0.0)
        found.let_go()
        assert found.size == 0

    play(archive, monkeypatch, work)


def test_that_it_is_not_read_is_said_once_until_it_is_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    archive = Archive(5)
    archive.fails = 3
    monkeypatch.setattr(asked, "standing", lambda: Standing("0" * 12, 1))

    async def play_it() -> None:
        hub = Hub()
        read = Read(None, CHANNELS, START, START)  # type: ignore[arg-type]
        for _ in range(3):
            with pytest.raises(Disconnected):
                await hub.pages.find(read)
            await hub._ask()  # MongoDB and PostgreSQL answer: that says nothing of Redis.
            assert hub.trouble == "away"
        await hub.pages.find(read)
        assert hub.trouble == ""

    monkeypatch.setattr(asked, "read", archive.read)
    with caplog.at_level("WARNING", "live"):
        asyncio.run(play_it())
    assert [record.getMessage() for record in caplog.records] == ["live: the archive is not read: away"]
