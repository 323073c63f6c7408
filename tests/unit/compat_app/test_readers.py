"""Readers are let go once nobody asks, and not before."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import pytest

from compat_app.log_queue import readers as module
from compat_app.log_queue.reader import Reader
from compat_app.log_queue.readers import Readers
from compat_app.log_queue.remembering import Known

ONE = Known(1, "queue/a", 7)
IsWanted = Callable[[], Awaitable[bool]]


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[Reader]:
    """Those that are let go; of each of which nobody has asked for long."""
    found: list[Reader] = []

    def close(self: Reader) -> None:
        found.append(self)

    monkeypatch.setattr(Reader, "close", close)
    monkeypatch.setattr(module, "LINGER_SECONDS", -1.0)
    monkeypatch.setattr(module, "_SWEEP_SECONDS", 0.0)
    return found


async def never() -> bool:
    return False


def test_who_waits_for_his_turn_keeps_the_reader(
    monkeypatch: pytest.MonkeyPatch, closed: list[Reader]
) -> None:
    """Also in the instant in which the one before him is answered."""
    answered: list[int] = []

    async def consume(self: Reader, is_wanted: IsWanted) -> None:
        for _ in range(10):
            await asyncio.sleep(0)
        answered.append(len(closed))

    monkeypatch.setattr(Reader, "_consume", consume)

    async def run() -> None:
        readers = Readers()
        reader = readers.of(ONE)
        await asyncio.gather(*[reader.consume(never) for _ in range(20)])
        assert answered == [0] * 20
        ends_at = time.monotonic() + 5
        while not closed and time.monotonic() < ends_at:
            await asyncio.sleep(0.001)

    asyncio.run(run())
    assert [reader.known for reader in closed] == [ONE]


def test_an_id_that_is_given_anew_has_a_reader_of_its_own_and_the_other_one_is_let_go(
    closed: list[Reader],
) -> None:
    """PostgreSQL was restored, and its numbers with it."""

    async def run() -> None:
        readers = Readers()
        other = Known(1, "queue/b", 7)
        assert readers.of(ONE) is readers.of(ONE)
        assert readers.of(other) is not readers.of(ONE)
        ends_at = time.monotonic() + 5
        while len(closed) < 2 and time.monotonic() < ends_at:
            await asyncio.sleep(0.001)

    asyncio.run(run())
    assert {reader.known.channel for reader in closed} == {"queue/a", "queue/b"}
