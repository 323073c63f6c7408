"""What is taken for the headers of a request, and what is not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from relaybase.http import connections
from relaybase.http.connections import MOST_HEAD_BYTES, WAITING, Connection

BODY_BYTES = 500_000
HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES


class Wire(asyncio.Transport):
    """What the server has written, and whether it has hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.left = 0

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def write(self, data: Any) -> None:
        self.written += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def get_write_buffer_size(self) -> int:
        return self.left

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def statuses(self) -> list[bytes]:
        return [part[:3] for part in self.written.split(b"HTTP/1.1 ")[1:]]


async def _refuses(scope: Any, receive: Any, send: Any) -> None:
    """Answers before it has read anything of the body."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _connected() -> tuple[Connection, Wire]:
    config, wire = Config(_refuses, log_config=None), Wire()
    config.load()
    connection = Connection(config, ServerState(), {})
    connection.connection_made(wire)
    return connection, wire


async def _answered(wire: Wire, count: int) -> None:
    async with asyncio.timeout(5):
        while len(wire.statuses()) < count:
            await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    before = WAITING.size
    yield
    assert WAITING.size == before


@pytest.mark.parametrize("pieces", [[BODY_BYTES], [1000, BODY_BYTES - 1000], [BODY_BYTES - 10, 10]])
def test_a_body_that_comes_after_its_answer_is_no_head(pieces: list[int]) -> None:
    async def talk() -> None:
        connection, wire = await _connected()
        connection.data_received(HEAD)
        await _answered(wire, 1)
        for piece in pieces:
            connection.data_received(b"x" * piece)
        assert (wire.statuses(), wire.is_closed) == ([b"404"], False)

        connection.data_received(HEAD)
        await _answered(wire, 2)
        assert (wire.statuses(), wire.is_closed) == ([b"404"] * 2, False)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_who_is_silent_after_such_a_body_is_told_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.05)

    async def talk() -> None:
        connection, wire = await _connected()
        connection.data_received(HEAD)
        await _answered(wire, 1)
        connection.data_received(b"x" * BODY_BYTES)
        await asyncio.sleep(0.2)
        assert (wire.statuses(), wire.is_closed) == ([b"404"], True)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_a_head_behind_such_a_body_still_has_its_bounds() -> None:
    async def talk() -> None:
        connection, wire = await _connected()
        connection.data_received(HEAD)
        await _answered(wire, 1)
        connection.data_received(b"x" * BODY_BYTES + b"GET / HTTP/1.1\r\nx: ")
        connection.data_received(b"x" * (MOST_HEAD_BYTES + 1))
        assert (wire.statuses(), wire.is_closed) == ([b"404", b"431"], True)
        connection.connection_lost(None)

    asyncio.run(talk())
