"""One subscription: it reads while there is something, one at a time, and not when it is at the end."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Ahead, Delivery, Rows, State
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted
from relaycore.position import at_millisecond
from relaycore.sending.batches.batch import Batch
from relaycore.sending.formats.format import Format
from relaycore.sending.items import DONE
from relaycore.sending.schedule import Schedule
from relaycore.storing.expiring import NOTHING
from subscribers_app.remembering import KnownSubscription
from webhooks_app.sending import course as module
from webhooks_app.sending import together
from webhooks_app.sending.clock import StreamClock
from webhooks_app.sending.course import Course
from webhooks_app.sending.known import Hook
from webhooks_app.sending.share import Share

START = Cursor("0", "0", 0)


class Log:
    """A channel, and how it is read."""

    def __init__(self) -> None:
        self.messages: list[str] = []
        self.reads = self.reading = self.most_reading = 0
        self.seconds = 0.0
        self.told: Callable[[], object] = lambda: None
        self.fails = 0
        self.is_silent = False

    def store(self, *positions: str) -> None:
        self.messages += positions
        self.told()


class Source:
    """Of `subscribers_app.pulling.ahead`, as far as it is used."""

    log: Log

    def __init__(
        self, channel: str, wants: Any, told: Callable[[], object], revision: int, key_of: Any = None
    ) -> None:
        self._revision = revision
        self._place = START
        self.log.told = told

    async def stand(self, place: Cursor) -> "Source":
        log = self.log
        log.reads += 1
        log.reading += 1
        log.most_reading = max(log.most_reading, log.reading)
        try:
            await asyncio.sleep(log.seconds)
            if log.fails:
                log.fails -= 1
                raise OSError("nobody answers")
        finally:
            log.reading -= 1
        self._place = place
        return self

    async def ask(self, seconds: float) -> bool:
        if self.log.is_silent:
            await asyncio.sleep(0.01)
            raise OSError("nobody says anything")
        # The follower answers by a page, perhaps an empty one, and tells of it as of any other.
        await asyncio.sleep(0)
        self.log.told()
        return True

    async def collect(self, most: int, size: int) -> None:
        pass

    def ahead(self, most: int, size: int, before: Any) -> tuple[Ahead, list[Any]]:
        above = self._place.position
        found = [one for one in self.log.messages if one > above][:most]
        named = [(one, one.encode()) for one in found]
        upto = found[-1] if found else above
        return Ahead(above, upto, named, 0, self._revision), [{"message": one} for one in found]

    async def expired(self) -> Any:
        return NOTHING

    def close(self) -> None:
        pass


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    made = Log()
    monkeypatch.setattr(Source, "log", made, raising=False)
    monkeypatch.setattr(module, "Source", Source)
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.05)
    return made


def hook(
    revision: int = 1,
    *,
    is_active: bool = True,
    most_age_ms: int | None = None,
    most_together: int | None = None,
    order_field: str = "",
) -> Hook:
    how = (None, "message", 0, Settings(), revision, order_field, [])
    known = KnownSubscription(1, "shop", "orders", "webhook", "lease", is_active, *how)
    stamp = (revision, 0, "active")
    return Hook(known, 1, stamp, Format.RAW, Schedule((0, 1)), most_age_ms, most_together)


class Bench:
    """A course that stands at the beginning, and has no rows. What it is asked by: its lane."""

    def __init__(self, now: int = 0, **settings: Any) -> None:
        self.got: list[str] = []
        self.keeps = self.is_away = False
        self.clock = StreamClock()
        if now:
            self.clock.hear(now)
        self.course = Course(hook(**settings), self.clock, self.take)
        self.course.wake()
        self.load()

    def load(self, revision: int = 1) -> None:
        standing = Standing(START, Noted("", 0), True, revision)
        self.course.load(standing, "")
        self.course.look(standing, Rows((), 0, ""))

    def take(self) -> None:
        while not self.is_away and (item := self.course.next()) is not None:
            items = item.items if isinstance(item, Batch) else [item]
            self.got.append(" ".join(one.position for one in items))
            if not self.keeps:
                self.course.settle(item, DONE)


def test_it_reads_what_comes_and_nothing_at_the_end(log: Log) -> None:
    async def work() -> None:
        log.store("1", "2")
        bench = Bench()
        await asyncio.sleep(0.05)
        assert bench.got == ["1", "2"]
        reads = log.reads
        assert reads <= 4
        for _ in range(20):
            bench.take()
            await asyncio.sleep(0)
        assert log.reads == reads, "it reads though nobody has said that there is more"
        log.store("3")
        await asyncio.sleep(0.05)
        assert bench.got == ["1", "2", "3"]
        bench.course.close()

    asyncio.run(work())


def test_what_waits_for_more_goes_after_a_moment(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "LINGER_SECONDS", 0.05)

    async def work() -> None:
        log.store("1")
        bench = Bench(most_together=3)
        bench.keeps = True
        await asyncio.sleep(0.02)
        assert bench.got == ["1"]
        log.store("2", "3")
        await asyncio.sleep(0.01)
        assert bench.got == ["1"], "it waits for more, since something is under way"
        log.store("4")
        await asyncio.sleep(0.01)
        assert bench.got == ["1", "2 3 4"], "there are as many as may go together"
        log.store("5")
        await asyncio.sleep(0.1)
        assert bench.got == ["1", "2 3 4", "5"], "it has waited long enough"
        log.store("6")
        await asyncio.sleep(0.01)
        bench.course.close()
        await asyncio.sleep(0.1)
        assert bench.got == ["1", "2 3 4", "5"], "nothing is sent of what is closed"

    asyncio.run(work())


@pytest.mark.parametrize(("most", "ahead"), [(None, 1), (100, 16), (3, 3)])
def test_so_much_is_read_ahead_where_many_share_an_endpoint(log: Log, most: int | None, ahead: int) -> None:
    async def work() -> None:
        log.store(*(f"{number:03}" for number in range(200)))
        bench = Bench(most_together=most)
        bench.course.share = Share(most=4)
        bench.course.set(hook(2, most_together=most))
        bench.is_away = True
        bench.load(2)
        await asyncio.sleep(0.05)
        assert bench.course.window is not None
        assert ahead <= bench.course.window.queued <= ahead + max(4, ahead)
        bench.course.close()

    asyncio.run(work())


def test_where_each_waits_for_another_one_none_go_together(log: Log) -> None:
    """The API takes no such subscription; a row may say so."""

    async def work() -> None:
        log.store("1", "2", "3")
        bench = Bench(most_together=3, order_field="customer")
        await asyncio.sleep(0.05)
        assert bench.got == ["1", "2", "3"]
        bench.course.close()

    asyncio.run(work())


def test_what_comes_while_it_looks_is_not_missed(log: Log) -> None:
    async def work() -> None:
        log.seconds = 0.02
        bench = Bench()
        await asyncio.sleep(0.01)
        log.store("1")
        log.seconds = 0.0
        await asyncio.sleep(0.1)
        assert bench.got == ["1"]
        bench.course.close()

    asyncio.run(work())


def test_one_reads_at_a_time_though_it_is_set_meanwhile(log: Log) -> None:
    async def work() -> None:
        log.seconds = 0.01
        log.store(*(f"{number:03}" for number in range(100, 150)))
        bench = Bench()
        for revision in range(2, 9):
            await asyncio.sleep(0.003)
            bench.course.set(hook(revision))
            bench.load(revision)
            await asyncio.sleep(0)
            bench.course.read_on()
        await asyncio.sleep(0.2)
        assert log.most_reading == 1
        assert sorted(set(bench.got)) == log.messages
        bench.course.close()

    asyncio.run(work())


def test_what_cannot_be_read_is_said_and_read_again(log: Log) -> None:
    async def work() -> None:
        log.fails, log.is_silent = 1, True
        log.store("1")
        bench = Bench()
        await asyncio.sleep(0.02)
        assert "shop: nobody answers" in bench.course.trouble
        for _ in range(20):
            await asyncio.sleep(0.01)
            assert bench.course.trouble, "nothing was read yet"
        log.is_silent = False
        await asyncio.sleep(0.15)
        assert bench.got == ["1"]
        assert not bench.course.trouble
        bench.course.close()

    asyncio.run(work())


def test_the_answer_that_ends_a_trouble_is_no_reason_to_ask_again(log: Log) -> None:
    async def work() -> None:
        log.fails = 1
        bench = Bench()
        await asyncio.sleep(0.02)
        assert bench.course.trouble
        await asyncio.sleep(0.1)
        assert not bench.course.trouble
        assert log.reads <= 4
        bench.course.close()

    asyncio.run(work())


def test_of_what_is_not_to_be_read_nothing_is_the_matter(log: Log) -> None:
    async def work() -> None:
        log.fails, log.is_silent = 1, True
        log.store("1")
        bench = Bench()
        await asyncio.sleep(0.02)
        assert bench.course.trouble
        bench.course.rest()
        assert not bench.course.trouble
        bench.course.close()

    asyncio.run(work())


def test_a_trouble_ends_with_what_it_was_about(log: Log) -> None:
    async def work() -> None:
        log.fails, log.is_silent = 1, True
        log.store("1")
        bench = Bench()
        await asyncio.sleep(0.055)
        assert bench.course.trouble
        bench.course.set(hook(2, is_active=False))
        bench.load(2)
        await asyncio.sleep(0.1)
        assert not bench.course.trouble
        bench.course.close()

    asyncio.run(work())


@pytest.mark.parametrize("how", ["resting", "paused", "closed"])
def test_nothing_is_read_that_may_not_be_sent(log: Log, how: str) -> None:
    async def work() -> None:
        bench = Bench()
        await asyncio.sleep(0.02)
        if how == "resting":
            bench.course.rest()
        elif how == "paused":
            bench.course.set(hook(is_active=False))
            bench.load()
        else:
            bench.course.close()
        await asyncio.sleep(0)
        reads = log.reads
        log.store("1")
        await asyncio.sleep(0.05)
        assert (log.reads, bench.got) == (reads, [])
        bench.course.close()

    asyncio.run(work())


def test_nothing_is_sent_before_it_is_known_how_old_it_is(log: Log) -> None:
    young = at_millisecond(9000)

    async def work() -> None:
        log.store(young)
        bench = Bench(most_age_ms=5000)
        await asyncio.sleep(0.05)
        bench.course.turn()
        assert not bench.got
        bench.clock.hear(10_000)
        bench.course.turn()
        assert bench.got == [young]
        bench.course.close()

    asyncio.run(work())


def test_what_is_too_old_is_not_tried_whenever_it_was_read_or_is_due(log: Log) -> None:
    """A second may pass until somebody looks how old things are."""
    old, due, young = (at_millisecond(one) for one in (4000, 4500, 9000))

    async def work() -> None:
        log.store(old, young)
        bench = Bench(now=10_000, most_age_ms=5000)
        await asyncio.sleep(0.05)
        assert bench.got == [young]
        window = bench.course.window
        assert window is not None
        progress = window.progress()
        assert progress is not None
        assert [(one.upto, one.messages) for one in progress.aged] == [(old, 1)]
        window.recorded(progress)
        row = Delivery(due, b"due", State.WAITING, 3)
        window.look(Standing(progress.cursor, Noted("", 0), True, 1), Rows([row], 1, due))
        window.read({b"due": {"message": b""}})
        bench.take()
        assert bench.got == [young]
        bench.course.close()

    asyncio.run(work())
