"""What a subscription has read ahead, and when it has read everything there is."""

import asyncio
from typing import Any

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import ReadAhead
from relaycore.following.places import Document, Horizon, Page
from relaycore.following.reader import Following
from relaycore.position import NEVER, START, first_of, next_position
from subscribers_app.pulling import ahead
from subscribers_app.pulling.ahead import Source

MOST = 2


class Follower:
    """One partition, of which a turn is read whenever somebody takes and there is nothing to take."""

    def __init__(self, below: str) -> None:
        self.below = below
        self.stored: list[Document] = []
        self.following = Following(MOST)
        self.boxes: dict[Any, list[Page]] = {}

    def store(self, channel: str, number: int) -> None:
        self.stored.append({"channel": channel, "position": first_of(f"{number}-0"), "message": b"1"})

    def join(self, channel: str, after: str, told: Any) -> "Feed":
        cursor = self.following.follow(channel, after)
        self.boxes[cursor] = []
        return Feed(self, cursor, told)

    def turn(self) -> None:
        self.following.begin(0)
        for read in self.following.plan(Horizon(self.below, is_sure=True, stored=NEVER)):
            wanted = [one for one in self.stored if read.channels is None or one["channel"] in read.channels]
            found = [one for one in wanted if read.after < one["position"] < read.below]
            is_more = len(found) > read.limit
            for cursor, page in self.following.took(read, found[: read.limit], is_more=is_more):
                self.boxes[cursor].append(page)


class Feed:
    def __init__(self, follower: Follower, cursor: Any, told: Any) -> None:
        self._follower, self._cursor, self._told = follower, cursor, told

    def ask(self) -> int:
        turn = self._follower.following.ask(self._cursor)
        self._follower.turn()
        self._told()
        return turn

    def take(self, seconds: float) -> Page | None:
        box = self._follower.boxes[self._cursor]
        if not box:
            # Once it has taken what there was, it is read on, as by the thread of the follower.
            asyncio.get_running_loop().call_later(0.01, self._read_on)
            return None
        self._cursor.room += 1
        return box.pop(0)

    @property
    def waiting(self) -> int:
        return len(self._follower.boxes[self._cursor])

    def _read_on(self) -> None:
        if not self._follower.following.due_in(0):
            self._follower.turn()
        self._told()

    def close(self) -> None:
        pass


@pytest.fixture
def follower(monkeypatch: pytest.MonkeyPatch) -> Follower:
    made = Follower(first_of("100-0"))
    monkeypatch.setattr(ahead, "follower", lambda: made)
    return made


async def at_the_tail(channel: str) -> tuple[Source, ReadAhead]:
    source = Source(channel, None, lambda: None)
    read = await source.stand(Cursor(START, START))
    assert await source.ask(1)
    return source, read


def test_a_page_after_which_there_is_more_does_not_say_that_there_is_nothing(follower: Follower) -> None:
    """Those at the tail are read for together: what others are sent fills a page."""

    async def run() -> list[str]:
        source, read = await at_the_tail("a")
        await at_the_tail("b")
        for number in (101, 102, 103):
            follower.store("b", number)
        follower.store("a", 104)
        follower.below = first_of("105-0")
        await source.ask(1)
        return [one["position"] for one in read.first(9, 99)[0]]

    assert asyncio.run(run()) == [first_of("104-0")]


def test_what_has_been_read_is_what_was_below_the_watermark_of_that_read(follower: Follower) -> None:
    async def run() -> None:
        source, _ = await at_the_tail("a")
        assert source.has_read("99-7")
        assert not source.has_read("100-0")
        # Redis has lost data: whatever was said before, what stands above was not read.
        follower.below = next_position("90-0")
        assert await source.ask(1)
        assert source.has_read("90-0")
        assert not source.has_read("90-1")
        source.close()
        assert not source.has_read(NEVER)

    asyncio.run(run())


def test_who_asks_of_what_is_closed_meanwhile_is_told_that_not_all_was_read(
    follower: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> bool:
        source, _ = await at_the_tail("a")
        monkeypatch.setattr(Feed, "ask", lambda feed: 99)
        asking = asyncio.create_task(source.ask(0.05))
        await asyncio.sleep(0)
        source.close()
        return await asking

    assert not asyncio.run(run())


@pytest.mark.parametrize("most", [1, 2])
def test_what_rests_is_let_go_where_it_is_too_much(follower: Follower, settings: Any, most: int) -> None:
    settings.RELAY_FETCH_MEMORY_BYTES = most

    async def read_two_and_rest() -> tuple[bool, bool]:
        for number in (1, 2):
            follower.store("a", number)
        source = Source("a", None, lambda: None)
        read = await source.stand(Cursor(START, START))
        follower.turn()
        await source.collect(2, 100)
        assert len(read) == 2
        was_kept = source.read is read  # Whoever works with it has what it takes.
        source.rest()
        return was_kept, source.read is read

    assert asyncio.run(read_two_and_rest()) == (True, most == 2)
