"""What is taken for the headers of a request, and what is not."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from relaybase.http import connections
from relaybase.http.connections import MOST_HEAD_BYTES, WAITING, Connection, connection_of

BODY_BYTES = 500_000
HEAD = b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES


class Wire(asyncio.Transport):
    """What the server has written, and whether it has hung up."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.left = 0
        """Bytes that have been written and not sent."""
        self.is_read = True

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

    def abort(self) -> None:
        self.left, self.is_closed = 0, True

    def pause_reading(self) -> None:
        self.is_read = False

    def resume_reading(self) -> None:
        self.is_read = True

    def statuses(self) -> list[bytes]:
        return [part[:3] for part in self.written.split(b"HTTP/1.1 ")[1:]]


async def _refuses(scope: Any, receive: Any, send: Any) -> None:
    """Answers before it has read anything of the body."""
    await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})


async def _connected(application: Any = _refuses) -> tuple[Connection, Wire]:
    config, wire = Config(application, log_config=None), Wire()
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


async def _waits(scope: Any, receive: Any, send: Any) -> None:
    """Never answers."""
    await asyncio.Event().wait()


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def test_a_head_that_comes_while_a_request_is_under_way_has_its_bounds() -> None:
    async def talk() -> None:
        connection, wire = await _connected(_waits)
        connection.data_received(GET)
        connection.data_received(b"GET / HTTP/1.1\r\nx: ")
        for _ in range(MOST_HEAD_BYTES // 1024):
            assert not wire.is_closed
            connection.data_received(b"x" * 1024)
        assert (wire.statuses(), wire.is_closed) == ([], True)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_requests_that_come_while_one_is_under_way_are_no_head() -> None:
    async def talk() -> None:
        connection, wire = await _connected(_waits)
        for count in (1, 10, MOST_HEAD_BYTES // len(GET) + 1):
            connection.data_received(GET * count)
        connection.data_received(HEAD)
        connection.data_received(b"x" * BODY_BYTES)
        connection.data_received(GET[:20])
        assert (wire.statuses(), wire.is_closed) == ([], False)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_a_client_that_goes_while_another_request_of_its_waits_behind_is_noticed() -> None:
    gone = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        gone.set()

    async def talk() -> None:
        connection, wire = await _connected(waits)
        connection.data_received(GET)
        await asyncio.sleep(0)
        connection.data_received(GET)
        assert wire.is_read
        connection.connection_lost(None)
        async with asyncio.timeout(5):
            await gone.wait()

    asyncio.run(talk())


def test_not_many_requests_are_read_behind_one() -> None:
    async def talk() -> None:
        connection, wire = await _connected(_waits)
        connection.data_received(GET * 100)
        assert not wire.is_read
        connection.connection_lost(None)

    asyncio.run(talk())


PAUSE = 0.1


async def _answers(scope: Any, receive: Any, send: Any) -> None:
    """Half of an answer, and the rest once it may be sent."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    await send({"type": "http.response.body", "body": b"x"})


async def _held_up(monkeypatch: pytest.MonkeyPatch, *, closes: bool = False) -> tuple[Connection, Wire]:
    """One that has answered, and whose answer has not gone out."""
    monkeypatch.setattr(connections, "PAUSE_SECONDS", PAUSE)
    connection, wire = await _connected(_answers)
    wire.left = 1000
    how = b"connection: close\r\n" if closes else b""
    connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n" + how + b"\r\n")
    await _answered(wire, 1)
    await asyncio.sleep(0)
    return connection, wire


@pytest.mark.parametrize("closes", [False, True])
def test_whoever_does_not_read_his_answer_is_cut(monkeypatch: pytest.MonkeyPatch, closes: bool) -> None:
    async def talk() -> None:
        connection, wire = await _held_up(monkeypatch, closes=closes)
        await asyncio.sleep(PAUSE * 0.7)
        assert wire.left == 1000
        await asyncio.sleep(PAUSE * 0.7)
        assert (wire.left, wire.is_closed) == (0, True)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_whoever_reads_slowly_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        connection, wire = await _held_up(monkeypatch)
        for _ in range(40):
            await asyncio.sleep(PAUSE / 10)
            wire.left -= 1
        assert not wire.is_closed
        await asyncio.sleep(PAUSE * 2.5)
        assert wire.is_closed
        connection.connection_lost(None)

    asyncio.run(talk())


def test_what_does_not_wait_for_the_client_is_not_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sends as slowly as the client reads."""

    async def talk() -> None:
        monkeypatch.setattr(connections, "PAUSE_SECONDS", PAUSE)
        connection, wire = await _connected(_never_ends)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await _answered(wire, 1)
        wire.left = 100
        connection.pause_writing()
        connection.resume_writing()
        await asyncio.sleep(PAUSE * 3)
        assert not wire.is_closed
        connection.pause_writing()
        await asyncio.sleep(PAUSE * 1.5)
        assert wire.is_closed
        connection.connection_lost(None)

    asyncio.run(talk())


def test_whoever_has_taken_a_connection_cuts_it_himself(monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk() -> None:
        monkeypatch.setattr(connections, "PAUSE_SECONDS", PAUSE)
        connection, wire = await _connected(_never_ends)
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await _answered(wire, 1)
        wire.left, connection.on_stop = 100, lambda: None
        connection.pause_writing()
        await asyncio.sleep(PAUSE * 2)
        assert not wire.is_closed
        connection.on_stop = None
        connection.pause_writing()
        await asyncio.sleep(PAUSE * 1.5)
        assert wire.is_closed
        connection.connection_lost(None)

    asyncio.run(talk())


def test_who_had_taken_a_connection_does_not_keep_it_after_his_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last of it is written while he still has it, and he does not look any more."""

    async def takes(scope: Any, receive: Any, send: Any) -> None:
        taken = connection_of(scope)
        assert taken is not None
        taken.on_stop = lambda: None
        await _answers(scope, receive, send)

    async def talk() -> None:
        monkeypatch.setattr(connections, "PAUSE_SECONDS", PAUSE)
        connection, wire = await _connected(takes)
        wire.left = 1000
        connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        await _answered(wire, 1)
        await asyncio.sleep(PAUSE * 0.7)
        assert wire.left == 1000
        await asyncio.sleep(PAUSE * 0.7)
        assert (wire.left, wire.is_closed) == (0, True)
        connection.connection_lost(None)

    asyncio.run(talk())


def test_a_head_alone_that_is_not_read_is_an_answer_that_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(Wire):
        def write(self, data: Any) -> None:
            super().write(data)
            self.left += len(data)

    async def talk() -> None:
        monkeypatch.setattr(connections, "PAUSE_SECONDS", PAUSE)
        config, wire = Config(_answers, log_config=None), Full()
        config.load()
        connection = Connection(config, ServerState(), {})
        connection.connection_made(wire)
        connection.data_received(b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n")
        await _answered(wire, 1)
        await asyncio.sleep(PAUSE * 1.5)
        assert wire.is_closed
        connection.connection_lost(None)

    asyncio.run(talk())


def test_what_is_a_websocket_by_now_is_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    upgraded: list[HttpToolsProtocol] = []

    def upgrade(self: HttpToolsProtocol) -> None:
        upgraded.append(self)

    monkeypatch.setattr(HttpToolsProtocol, "handle_websocket_upgrade", upgrade)

    async def talk() -> None:
        connection, wire = await _held_up(monkeypatch)
        connection.data_received(
            b"GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n"
        )
        assert upgraded == [connection]
        await asyncio.sleep(PAUSE * 2)
        assert not wire.is_closed
        connection.connection_lost(None)

    asyncio.run(talk())


async def _never_ends(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"x", "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass


class Packets(Wire):
    """What goes out at once."""

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[bytes] = []

    def write(self, data: Any) -> None:
        self.packets.append(bytes(data))
        super().write(data)

    def writelines(self, parts: Any) -> None:
        self.write(b"".join(parts))


async def _told(app: Any, request: bytes = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n") -> Packets:
    config, wire = Config(app, log_config=None, access_log=False), Packets()
    config.load()
    connection = Connection(config, ServerState(), {})
    connection.connection_made(wire)
    connection.data_received(request)
    async with asyncio.timeout(5):
        while not connection.cycle.response_complete:
            await asyncio.sleep(0)
        while len(wire.statuses()) < request.count(b"GET ") + request.count(b"HEAD "):
            await asyncio.sleep(0)
    connection.connection_lost(None)
    return wire


def _answering(*pieces: bytes, turns: int = 0) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        length = b"%d" % sum(map(len, pieces))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for number, piece in enumerate(pieces):
            for _ in range(turns):
                await asyncio.sleep(0)
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces) - 1})

    return app


def test_the_head_of_an_answer_goes_out_with_its_body() -> None:
    wire = asyncio.run(_told(_answering(b"abc")))
    assert len(wire.packets) == 1
    assert wire.written.endswith(b"content-length: 3\r\n\r\nabc")


def test_only_the_first_piece_waits_for_nothing() -> None:
    wire = asyncio.run(_told(_answering(b"a", b"b", b"c")))
    assert [packet[-1:] for packet in wire.packets] == [b"a", b"b", b"c"]


def test_the_head_does_not_wait_for_a_body_that_does_not_come_at_once() -> None:
    wire = asyncio.run(_told(_answering(b"a", b"b", turns=3)))
    assert [packet[-1:] for packet in wire.packets] == [b"\n", b"a", b"b"]


def test_answers_to_requests_sent_together_keep_their_order() -> None:
    request = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n" * 2
    wire = asyncio.run(_told(_answering(b"abc"), request))
    assert len(wire.statuses()) == 2
    assert [packet[-3:] for packet in wire.packets] == [b"abc", b"abc"]


def test_a_head_without_a_body_goes_out_before_the_connection_is_closed() -> None:
    request = b"HEAD / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"
    wire = asyncio.run(_told(_answering(b"abc"), request))
    assert wire.is_closed
    assert wire.written.endswith(b"\r\n\r\n")
    assert len(wire.statuses()) == 1


# --- an answer that goes out at once -------------------------------------------------------------


def _at_once(done: list[bool], change: Any = None) -> Any:
    """At once if that can be, and else as every answer is."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        connection = connection_of(scope)
        assert connection is not None
        if change is not None:
            scope = await change(connection, scope, receive, send) or scope
        done.append(connection.answer(scope, 200, b"content-length: 3\r\n", b"abc"))
        if not done[-1] and not connection.cycle.response_started:
            await _answering(b"abc")(scope, receive, send)

    return app


GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"


def test_an_answer_that_goes_out_at_once_is_the_one_that_uvicorn_sends() -> None:
    done: list[bool] = []
    wire, usual = asyncio.run(_told(_at_once(done))), asyncio.run(_told(_answering(b"abc")))
    assert done == [True]
    assert wire.packets == usual.packets


def test_so_do_answers_to_requests_sent_together_each_in_its_turn() -> None:
    done: list[bool] = []
    wire = asyncio.run(_told(_at_once(done), GET * 3))
    assert wire.packets == asyncio.run(_told(_answering(b"abc"), GET * 3)).packets
    assert done[-1]


@pytest.mark.parametrize(
    "request_",
    [
        b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n",
        b"GET / HTTP/1.0\r\nhost: a\r\n\r\n",
    ],
    ids=["head", "close", "1.0"],
)
def test_what_uvicorn_sees_to_goes_its_way(request_: bytes) -> None:
    done: list[bool] = []
    wire = asyncio.run(_told(_at_once(done), request_))
    assert done == [False]
    assert wire.written == asyncio.run(_told(_answering(b"abc"), request_)).written


async def _pause(connection: Connection, scope: Any, receive: Any, send: Any) -> None:
    connection.pause_writing()
    asyncio.get_running_loop().call_later(0.01, connection.resume_writing)


async def _begin(connection: Connection, scope: Any, receive: Any, send: Any) -> None:
    await _answering(b"abc")(scope, receive, send)


async def _copy(connection: Connection, scope: Any, receive: Any, send: Any) -> Any:
    return dict(scope)


async def _stop(connection: Connection, scope: Any, receive: Any, send: Any) -> None:
    connection.shutdown()


@pytest.mark.parametrize("change", [_pause, _begin, _copy, _stop])
def test_so_does_what_cannot_go_out_now_is_begun_or_may_be_of_another_request(change: Any) -> None:
    done: list[bool] = []
    wire = asyncio.run(_told(_at_once(done, change)))
    assert done == [False]
    assert wire.statuses() == [b"200"]
    assert wire.written.endswith(b"\r\n\r\nabc")
    assert (b"connection: close" in wire.written) == (change is _stop)


def test_nothing_goes_out_to_who_has_gone() -> None:
    async def lose(connection: Connection, scope: Any, receive: Any, send: Any) -> None:
        connection.connection_lost(None)

    async def talk() -> tuple[list[bool], bytes]:
        done: list[bool] = []
        config, wire = Config(_at_once(done, lose), log_config=None, access_log=False), Packets()
        config.load()
        connection = Connection(config, ServerState(), {})
        connection.connection_made(wire)
        connection.data_received(GET)
        for _ in range(10):
            await asyncio.sleep(0)
        return done, wire.written

    assert asyncio.run(talk()) == ([False], b"")
