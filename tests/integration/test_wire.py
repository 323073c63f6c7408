"""A `Wire` on a real Redis: it takes the socket over from redis-py, and hides nothing."""

import array
import contextlib
import fcntl
import selectors
import socket
import termios
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import hiredis
import pytest

from relaybase.connections import open_wire
from relaybase.redis.wire import READ_BYTES, Wire
from relaycore.errors import Disconnected
from tests.proxy import Proxy

Wait = Callable[..., None]
LONG = b"x" * (8 << 20)


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = open_wire("wire-under-test")
    yield wire
    wire.close()


def receive(wire: Wire, count: int, wait_until: Wait) -> list[Any]:
    """So many replies, in as many reads as it takes."""
    replies: list[Any] = []

    def is_complete() -> bool:
        wire.flush()
        replies.extend(wire.receive())
        return len(replies) >= count

    wait_until(is_complete)
    return replies


def test_replies_come_in_the_order_of_the_commands_and_errors_are_values(
    wire: Wire, wait_until: Wait
) -> None:
    wire.send(("ECHO", "first"), ("NONSENSE",), ("ECHO", b"\xff\0"), ("ECHO", 4))
    first, error, binary, number = receive(wire, 4, wait_until)
    assert (first, binary, number) == (b"first", b"\xff\0", b"4")
    assert isinstance(error, hiredis.ReplyError)


def test_a_wire_has_the_name_that_was_asked_for(wire: Wire, relay_keys: Any) -> None:
    assert "wire-under-test" in {client["name"] for client in relay_keys.client_list()}


def test_nothing_to_read_is_nothing_and_no_wait(wire: Wire) -> None:
    assert wire.receive() == []


def test_more_than_the_socket_takes_waits_and_goes_out_bit_by_bit(settings: Any, wait_until: Wait) -> None:
    with Proxy.to(settings.SERVERS.redis_url) as proxy:
        settings.SERVERS = replace(settings.SERVERS, redis_url=proxy.url)
        wire = open_wire("wire-under-test")
        with proxy.hole() as hole:
            for _ in range(3):
                wire.send(("ECHO", LONG))
            wait_until(lambda: hole.held)
            waits = wire.wants_to_write
        assert waits
        assert receive(wire, 3, wait_until) == [LONG] * 3
        assert not wire.wants_to_write
        wire.close()


def test_a_connection_that_redis_ends_is_reported_and_not_made_again(
    wire: Wire, relay_keys: Any, wait_until: Wait
) -> None:
    [client] = [c for c in relay_keys.client_list() if c["name"] == "wire-under-test"]
    assert relay_keys.client_kill_filter(_id=client["id"]) == 1

    def read() -> bool:
        wire.receive()
        return False

    with pytest.raises(Disconnected):
        wait_until(read)


def test_what_is_no_reply_ends_the_connection(settings: Any, wait_until: Wait) -> None:
    with _answering(b"+OK\r\n", b"+OK\r\n", b"+OK\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n") as port:
        settings.SERVERS = replace(settings.SERVERS, redis_url=f"redis://127.0.0.1:{port}")
        wire = open_wire("wire-under-test")
        wire.send(("PING",))
        with pytest.raises(Disconnected, match="not a reply"):
            receive(wire, 1, wait_until)
        wire.close()


@contextlib.contextmanager
def _answering(*answers: bytes) -> Iterator[int]:
    """A server that says these things, one for each command, the last one for ever; its port."""

    def serve() -> None:
        connection, _ = server.accept()
        waiting = list(answers)
        with connection:
            while data := connection.recv(1 << 16):
                for _ in range(data.count(b"*")):
                    connection.sendall(waiting.pop(0) if len(waiting) > 1 else waiting[0])

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1]
        thread.join(10)


@pytest.fixture
def encrypted(settings: Any) -> Iterator[Proxy]:
    """Redis is reached over TLS."""
    with Proxy.to(settings.SERVERS.redis_url, encrypted=True) as proxy:
        settings.SERVERS = replace(settings.SERVERS, redis_url=proxy.url)
        yield proxy


@pytest.fixture
def encrypted_wire(encrypted: Proxy) -> Iterator[Wire]:
    wire = open_wire("wire-under-test")
    yield wire
    wire.close()


def held_by_the_kernel(wire: Wire) -> int:
    """Bytes that have come and were not read."""
    held = array.array("i", [0])
    fcntl.ioctl(wire.fileno(), termios.FIONREAD, held)
    return held[0]


def test_one_look_brings_many_records(encrypted_wire: Wire, wait_until: Wait) -> None:
    encrypted_wire.send(*[("ECHO", b"x" * 1000)] * 70)
    wait_until(lambda: held_by_the_kernel(encrypted_wire) > 70_000)
    assert encrypted_wire.receive() == [b"x" * 1000] * 70


def test_a_look_has_a_bound_and_leaves_nothing_where_no_selector_sees_it(
    encrypted_wire: Wire, wait_until: Wait
) -> None:
    replies: list[Any] = []
    encrypted_wire.send(*[("ECHO", b"x" * 10_000)] * 300)
    with selectors.DefaultSelector() as selector:
        selector.register(encrypted_wire, selectors.EVENT_READ)

        def come() -> bool:
            before = encrypted_wire.received_bytes
            encrypted_wire.flush()
            if selector.select(1):
                replies.extend(encrypted_wire.receive())
            assert encrypted_wire.received_bytes - before < READ_BYTES + (16 << 10)
            assert not encrypted_wire._socket.pending()
            return len(replies) == 300

        wait_until(come)


def test_what_came_before_an_end_is_handed_out_before_it(
    encrypted_wire: Wire, relay_keys: Any, wait_until: Wait
) -> None:
    encrypted_wire.send(("ECHO", b"x" * 50_000))
    wait_until(lambda: held_by_the_kernel(encrypted_wire) > 50_000)
    before = held_by_the_kernel(encrypted_wire)
    [client] = [c for c in relay_keys.client_list() if c["name"] == "wire-under-test"]
    relay_keys.client_kill_filter(_id=client["id"])
    wait_until(lambda: held_by_the_kernel(encrypted_wire) > before, what="TLS says that it ends")
    assert encrypted_wire.receive() == [b"x" * 50_000]
    with pytest.raises(Disconnected):
        encrypted_wire.receive()


@pytest.mark.usefixtures("redis_away")
def test_a_server_that_is_away_is_disconnected() -> None:
    with pytest.raises(Disconnected, match="Redis cannot be reached"):
        open_wire("wire-under-test")
