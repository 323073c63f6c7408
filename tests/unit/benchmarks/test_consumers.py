"""What consumes in a benchmark notices what is wrong: else the figures are of something else."""

import asyncio
from collections.abc import Iterator
from typing import Any, cast

import psutil
import pytest

from benchmarks.connection import Connection
from benchmarks.consumers import acknowledging, committing
from benchmarks.target import WrongResult
from benchmarks.web import Web

WEB = Web(psutil.Process(), 0, "key")


class Played:
    """A connection that answers what it is told to, and keeps what it was asked."""

    def __init__(self, *answers: bytes) -> None:
        self._answers: Iterator[bytes] = iter(answers)
        self.asked: list[bytes] = []

    async def ask(self, request: bytes) -> bytes:
        self.asked.append(request)
        return next(self._answers)


def take(turn: Any, connection: Played) -> int:
    count: int = asyncio.run(turn(cast(Connection, connection)))
    return count


def fetched(*positions: str) -> bytes:
    rows = ",".join(f'{{"received_at":"","position":"{one}"}}' for one in positions)
    return f'{{"messages":[{rows}],"position":"{max(positions)}","generation":1}}'.encode()


def test_what_was_fetched_is_committed() -> None:
    connection = Played(fetched("1", "2"), b"{}")

    assert take(committing(WEB, "reader", 10), connection) == 2
    assert connection.asked[1].endswith(b'{"position":"2"}')


def test_what_comes_again_is_wrong() -> None:
    connection = Played(fetched("1", "2"), b"{}", fetched("2"))
    turn = committing(WEB, "reader", 10)
    take(turn, connection)

    with pytest.raises(WrongResult, match="came after"):
        take(turn, connection)


def test_what_was_leased_is_acknowledged() -> None:
    connection = Played(b'[{"token":"a"},{"token":"b"}]', b'{"ok":true}')

    assert take(acknowledging(WEB, "reader", 10), connection) == 2
    assert connection.asked[1].endswith(b'{"tokens":["a","b"]}')


def test_what_is_leased_twice_or_too_late_is_wrong() -> None:
    seen = {b"a"}
    with pytest.raises(WrongResult, match="twice"):
        take(acknowledging(WEB, "reader", 10, seen), Played(b'[{"token":"a"}]'))

    with pytest.raises(WrongResult, match="too late"):
        take(acknowledging(WEB, "reader", 10), Played(b'[{"token":"a"}]', b'[{"ok":false}]'))


@pytest.mark.parametrize("cut", [1, 20, 60, 90])
def test_an_answer_is_whole_however_it_comes(cut: int) -> None:
    async def ask() -> bytes:
        connection = Connection()
        connection._transport = cast(asyncio.Transport, Silent())
        asked = connection.ask(b"")
        whole = b"HTTP/1.1 200 OK\r\nserver: x\r\nContent-Length: 50\r\n\r\n" + b"x" * 50
        for piece in (whole[:cut], whole[cut:]):
            connection.data_received(piece)
        return await asked

    assert asyncio.run(ask()) == b"x" * 50


def test_a_refusal_is_wrong() -> None:
    async def ask() -> None:
        connection = Connection()
        connection._transport = cast(asyncio.Transport, Silent())
        asked = connection.ask(b"")
        connection.data_received(b"HTTP/1.1 409 Conflict\r\nContent-Length: 2\r\n\r\n{}")
        await asked

    with pytest.raises(WrongResult, match="409"):
        asyncio.run(ask())


class Silent:
    def write(self, data: bytes) -> None:
        pass
