"""What a sender is made of beside lanes and courses: its thread, its log of attempts, what it has encoded."""

import asyncio
import threading
from types import SimpleNamespace
from typing import Any

import pytest
from bson import ObjectId
from django.db import DatabaseError
from pymongo.errors import AutoReconnect

from relaycore.sending.answers import Answer
from relaycore.sending.formats import choosing
from relaycore.sending.formats.format import Encoded, Format
from relaycore.sending.items import Item
from webhooks_app import attempts
from webhooks_app.sending import encoding, logbook, worker
from webhooks_app.sending.encoding import Encoding
from webhooks_app.sending.logbook import Logbook
from webhooks_app.sending.recording.pause import LEAST_SECONDS, MOST_SECONDS, Pause
from webhooks_app.sending.worker import Worker
from webhooks_app.sending.working import Working


class Connection:
    """One to PostgreSQL, of which it is counted how often it was closed."""

    closed = 0

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    made = Connection()
    monkeypatch.setattr(worker, "connection", made)
    return made


def test_the_thread_does_one_thing_after_another_and_raises_what_is_raised(connection: Connection) -> None:
    def fail(error: Exception) -> None:
        raise error

    async def work() -> None:
        made = Worker("test")
        done = await asyncio.gather(*(made.do(lambda number=number: number) for number in range(9)))  # type: ignore[misc]
        assert done == list(range(9))
        with pytest.raises(ZeroDivisionError):
            await made.do(lambda: fail(ZeroDivisionError()))
        assert connection.closed == 1, "it may have left a transaction open"
        with pytest.raises(DatabaseError):
            await made.do(lambda: fail(DatabaseError()))
        assert connection.closed == 2, "the next thing begins with a new connection"
        assert await made.do(lambda: "goes on") == "goes on"
        made.close()

    asyncio.run(work())


def test_nobody_waits_for_a_thread_that_a_server_keeps(connection: Connection) -> None:
    released = threading.Event()

    async def work() -> None:
        made = Worker("test")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(made.do(lambda: released.wait(10)), 0.05)
        made.close()

    before = threading.active_count()
    asyncio.run(work())
    released.set()
    for thread in threading.enumerate():
        if thread.name == "test":
            thread.join(5)
    assert threading.active_count() <= before


def test_it_shows_for_how_long_a_server_keeps_the_thread(connection: Connection) -> None:
    released = threading.Event()

    async def work() -> None:
        made = Worker("test")
        assert not made.busy_seconds
        held = asyncio.ensure_future(made.do(lambda: released.wait(10)))
        async with asyncio.timeout(5):
            while made.busy_seconds < 0.1:
                await asyncio.sleep(0.01)
        released.set()
        await held
        assert not made.busy_seconds
        made.close()

    asyncio.run(work())


def note(log: Logbook, number: int) -> None:
    endpoint: Any = SimpleNamespace(id=1, name="shop")
    hook: Any = SimpleNamespace(subscription=SimpleNamespace(id=2, name="orders"))
    log.note(endpoint, hook, Item(f"{number:03}", b"", None), "id", Answer(204))


def test_attempts_wait_while_they_cannot_be_logged_and_what_does_not_fit_is_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written: list[str] = []
    is_away = [True]

    def record(batch: Any) -> int:
        if is_away[0]:
            raise AutoReconnect("nobody answers")
        written.extend(one.position for one in batch)
        return 0

    monkeypatch.setattr(attempts, "record", record)
    monkeypatch.setattr(logbook, "_MOST_WAITING", 5)
    monkeypatch.setattr(logbook, "_AGAIN_SECONDS", 0.05)

    async def work() -> None:
        log = Logbook()
        for number in range(4):
            note(log, number)
        log.write()
        note(log, 4)
        note(log, 5)  # While it is tried to write the others: one of them has no room any more.
        await asyncio.sleep(0.03)
        assert log.lost == 1
        note(log, 6)
        assert log.lost == 2
        log.write()
        assert not written, "it is tried again after a while"
        is_away[0] = False
        await asyncio.sleep(0.06)
        log.write()
        await log.close()

    asyncio.run(work())
    assert written == ["002", "003", "004", "005", "006"]


@pytest.mark.parametrize("what", [3, ValueError("it can be written by nobody")])
def test_what_can_never_be_logged_keeps_nothing_waiting(
    monkeypatch: pytest.MonkeyPatch, what: int | Exception
) -> None:
    tries: list[int] = []

    def record(batch: Any) -> int:
        tries.append(len(batch))
        if isinstance(what, Exception):
            raise what
        return what

    monkeypatch.setattr(attempts, "record", record)
    monkeypatch.setattr(logbook, "_AGAIN_SECONDS", 0.0)

    async def work() -> None:
        log = Logbook()
        for number in range(3):
            note(log, number)
        log.write()
        await asyncio.sleep(0.05)
        log.write()
        await log.close()
        assert log.lost == 3

    asyncio.run(work())
    assert tries == [3]


def test_a_message_is_encoded_once_per_format_and_not_kept_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[Format, bytes]] = []

    def single(format: Format, document: Any, base: str) -> Encoded:
        made.append((format, document["_id"].binary))
        return Encoded(str(document["_id"]), ((b"a", b"b"),), b"x" * 10)

    monkeypatch.setattr(choosing, "single", single)
    monkeypatch.setattr(encoding, "_MOST", 3)
    kept = Encoding("")
    ids = [ObjectId() for _ in range(5)]
    items = [Item("", id.binary, {"_id": id}) for id in ids]
    assert kept.of(Format.RAW, items[0]) == (str(ids[0]), b"a: b\r\n", b"x" * 10)
    for _ in range(3):
        kept.of(Format.RAW, items[0])
        kept.of(Format.STANDARD, items[0])
    assert len(made) == 2
    for item in items:
        kept.of(Format.RAW, item)
    assert len(made) == 6
    kept.of(Format.RAW, items[0])
    assert len(made) == 7, "it was let go"
    monkeypatch.setattr(encoding, "_MOST_BYTES", 15)
    kept.of(Format.RAW, items[1])
    assert len(kept._kept) == 1


@pytest.mark.parametrize("turns", range(6))
def test_a_sender_that_is_pressed_and_stopped_at_once_ends(turns: int) -> None:
    """Whatever of waiting for one of the two has come to its end when the other one comes."""

    async def record() -> None:
        pass

    async def work() -> None:
        pressed = asyncio.Event()
        working: Any = SimpleNamespace(
            _is_pressed=pressed, _recording=asyncio.Lock(), _record=record, _dirty={}, _pause=Pause()
        )
        waiting = asyncio.create_task(Working._record_soon(working))
        await asyncio.sleep(0.01)
        pressed.set()
        for _ in range(turns):
            await asyncio.sleep(0)
        is_waiting = not waiting.done()
        assert waiting.cancel() == is_waiting
        await asyncio.wait({waiting})
        assert waiting.cancelled() == is_waiting

    asyncio.run(work())


def test_the_longer_it_takes_to_record_the_less_often_it_is_done() -> None:
    pause = Pause()
    found = []
    for seconds, is_more in ((0.0, False), (0.05, False), (0.05, True), (5.0, False), (0.001, False)):
        pause.took(seconds, is_more=is_more)
        found.append(pause.seconds)
    assert found == [LEAST_SECONDS, 0.2, LEAST_SECONDS, MOST_SECONDS, LEAST_SECONDS]


def test_a_sender_that_is_pressed_does_not_wait_for_the_end_of_a_pause() -> None:
    async def record() -> None:
        await asyncio.sleep(0.03)

    async def work() -> None:
        working: Any = SimpleNamespace(_recording=asyncio.Lock(), _record=record, _dirty={}, _pause=Pause())
        working._pause.seconds, working._is_pressed = 60.0, asyncio.Event()
        working._is_pressed.set()
        async with asyncio.timeout(10):
            await Working._record_soon(working)
        assert LEAST_SECONDS < working._pause.seconds <= MOST_SECONDS, "what it took counts"

    asyncio.run(work())
