"""What is asked over one connection is answered in order, whoever waits."""

import asyncio
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from messages_app.publishing import line
from messages_app.publishing.line import Line
from relaybase.redis.wire import Wire


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """The other end of the connection that a line opens."""
    own, other = socket.socketpair()

    def open_wire(name: str) -> Any:
        return Wire(SimpleNamespace(_sock=own, disconnect=own.close))

    monkeypatch.setattr(line, "open_wire", open_wire)
    with own, other:
        yield other


async def _open() -> Line:
    found = Line("test", lambda: None, lambda why: None)
    assert await found.is_ready()
    return found


async def _asked(on: Line, *words: str) -> list["asyncio.Task[Any]"]:
    """A question each, sent."""
    tasks = [asyncio.create_task(on.ask((word,))) for word in words]
    await asyncio.sleep(0)
    return tasks


@pytest.mark.parametrize("gone", [0, 1, 2])
def test_who_goes_away_while_he_waits_takes_no_answer_from_the_others(
    server: socket.socket, gone: int
) -> None:
    async def story() -> None:
        on = await _open()
        tasks = await _asked(on, "A", "B", "C")
        tasks[gone].cancel()
        with pytest.raises(asyncio.CancelledError):
            await tasks[gone]
        server.sendall(b"+a\r\n+b\r\n+c\r\n")  # One read brings all of them.
        left = [(task, answer) for task, answer in zip(tasks, "abc", strict=True) if task is not tasks[gone]]
        async with asyncio.timeout(5):
            for task, answer in left:
                assert await task == answer.encode()
            (later,) = await _asked(on, "D")
            server.sendall(b"+d\r\n")
            assert await later == b"d"
        on.drop("the test is over")

    asyncio.run(story())
