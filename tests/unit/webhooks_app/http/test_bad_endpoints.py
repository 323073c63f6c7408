"""Endpoints that misbehave, each in its way: one answer, in time, that says what it was."""

import asyncio
import socket
import struct
import time
import tracemalloc
from asyncio import StreamReader as Reader
from asyncio import StreamWriter as Writer
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from relaycore.outbound.urls import read
from relaycore.sending.answers import Answer, Failure
from tests.unit.webhooks_app.http.certificates import Authority, server
from tests.unit.webhooks_app.http.endpoints import (
    OK,
    Endpoint,
    Script,
    answering,
    ask,
    run,
    sending,
    serving,
    until,
)
from webhooks_app.http import client as client_module
from webhooks_app.http import tls
from webhooks_app.http.reading import MOST_BYTES
from webhooks_app.http.target import Target

SECONDS = 0.4


async def hangs(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    await reader.read()


async def reads_nothing(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await asyncio.sleep(30)


async def a_byte_at_a_time(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    for byte in b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 100:
        writer.write(bytes([byte]))
        await asyncio.sleep(0.05)


async def headers_without_end(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"x: y\r\n" * 1000)
        await writer.drain()


async def a_slow_body(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n")
    for _ in range(1000):
        writer.write(b"x")
        await asyncio.sleep(0.05)


async def a_body_without_end(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    while not writer.is_closing():
        writer.write(b"x" * 100_000)
        await writer.drain()


async def resets(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    reset(writer)


async def resets_at_once(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    reset(writer)


async def resets_in_the_body(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhello")
    await asyncio.sleep(0.05)
    reset(writer)


async def interim_for_ever(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
    await endpoint.request(reader)
    while not writer.is_closing():
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await asyncio.sleep(0.01)


def reset(writer: Writer) -> None:
    linger = struct.pack("ii", 1, 0)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()


UNAVAILABLE = b"HTTP/1.1 503 Later\r\nretry-after: 120\r\ncontent-length: 0\r\n\r\n"
TOO_MANY = b"HTTP/1.1 429 Too Many\r\nRetry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\ncontent-length: 0\r\n\r\n"
INSIDE = b"HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1/\r\ncontent-length: 0\r\n\r\n"


@pytest.mark.parametrize(
    ("script", "status", "failure"),
    [
        (hangs, None, Failure.TIMEOUT),
        (reads_nothing, None, Failure.TIMEOUT),
        (a_byte_at_a_time, None, Failure.TIMEOUT),
        (interim_for_ever, None, Failure.TIMEOUT),
        (headers_without_end, None, Failure.TOO_LARGE),
        (a_slow_body, 200, None),
        (a_body_without_end, 200, None),
        (resets_in_the_body, 200, None),
        (resets, None, Failure.RESET),
        (resets_at_once, None, Failure.RESET),
        (answering(b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n"), 500, None),
        (answering(UNAVAILABLE), 503, None),
        (answering(TOO_MANY), 429, None),
        (answering(INSIDE), 307, None),
        (answering(b"HTTP/1.1 410 Gone\r\n\r\n", then_close=True), 410, None),
        (answering(b"220 mail.example.org ESMTP\r\n"), None, Failure.PROTOCOL),
        (answering(b""), None, Failure.TIMEOUT),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_each_has_one_answer_in_time(script: Script, status: int | None, failure: Failure | None) -> None:
    answers: list[Answer] = []
    seconds = SECONDS if failure is Failure.TIMEOUT or script is a_slow_body else 10.0

    async def story() -> None:
        async with serving(script) as endpoint, sending() as client:
            target = endpoint.target(timeout_seconds=seconds, max_connections=1)
            for body in (b"hello", bytes(4 << 20)):
                client.send(target, [], body, answers.append)
                await until(lambda: not client.under_way)
            await until(
                lambda: (
                    target not in client._pools
                    or not client._pools[target]._connections
                    or status in {429, 500, 503, 307}
                )
            )

    run(story)
    assert len(answers) == 2
    for answer in answers:
        assert (answer.status, answer.failure, answer.is_unsent) == (status, failure, False)
        assert answer.seconds < seconds + 2
        assert (failure is None) or answer.detail
    if status in {429, 503}:
        assert (answers[0].retry_after or 0) >= 120


def test_what_has_no_end_takes_no_memory() -> None:
    async def story() -> None:
        async with sending() as client:
            for script in (a_body_without_end, headers_without_end):
                async with serving(script) as endpoint:
                    target = endpoint.target(max_connections=1)
                    await ask(client, target)
                    tracemalloc.start()
                    for _ in range(20):
                        assert len((await ask(client, target)).body) <= 1024
                    _, most = tracemalloc.get_traced_memory()
                    tracemalloc.stop()
                    # What the servers, which are in here, have written and not sent is the larger part.
                    assert most < 40 * MOST_BYTES

    run(story)


def test_one_that_flaps_is_used_whenever_it_is_there() -> None:
    async def story() -> None:
        async with sending() as client:
            with socket.create_server(("127.0.0.1", 0)) as reserved:
                port = reserved.getsockname()[1]
            target = Target(read(f"http://127.0.0.1:{port}/"), timeout_seconds=2)
            for _ in range(3):
                assert (await ask(client, target)).failure is Failure.REFUSED
                server = await asyncio.start_server(one_answer, "127.0.0.1", port)
                assert (await ask(client, target)).status == 200
                server.close()
                await server.wait_closed()
                client.forget(target)

    run(story)


async def one_answer(reader: Reader, writer: Writer) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(OK)
    await reader.read()
    writer.close()


@contextmanager
def silent(host: str, port: int = 0) -> Iterator[socket.socket]:
    """Its backlog is full: the kernel leaves whoever knocks without an answer."""
    with ExitStack() as stack:
        full = stack.enter_context(socket.socket())
        full.bind((host, port))
        full.listen(0)
        for _ in range(8):
            other = stack.enter_context(socket.socket())
            other.setblocking(False)
            other.connect_ex(full.getsockname())
        yield full


def test_what_nobody_answers_to_is_a_connection_that_was_not_made() -> None:
    async def story() -> None:
        with silent("127.0.0.1") as full:
            async with sending() as client:
                target = Endpoint(full.getsockname()[1]).target(timeout_seconds=SECONDS)
                answer = await ask(client, target)
                assert (answer.failure, answer.is_unsent) == (Failure.CONNECT_TIMEOUT, False)

    run(story)


def test_an_address_that_is_silent_leaves_time_for_the_next_one() -> None:
    async def both(host: str, port: int) -> list[str]:
        return ["127.0.0.2", "127.0.0.1"]

    async def story() -> None:
        async with serving(answering(OK)) as endpoint, sending(resolve=both) as client:
            with silent("127.0.0.2", endpoint.port):
                target = endpoint.target(host="hooks.example.org", timeout_seconds=2)
                answer = await ask(client, target)
                assert answer.status == 200
                assert answer.seconds > 0.5

    run(story)


def test_tls_that_never_begins_is_ended_in_time() -> None:
    async def story() -> None:
        async with serving(reads_nothing) as endpoint, sending() as client:
            answer = await ask(client, endpoint.target(scheme="https", timeout_seconds=SECONDS))
            assert answer.failure is Failure.CONNECT_TIMEOUT
            await until(lambda: not client._pools)

    run(story)


def test_what_was_given_up_while_it_was_made_is_closed() -> None:
    async def only_reads(endpoint: Endpoint, reader: Reader, writer: Writer) -> None:
        await reader.read()

    async def story() -> None:
        async with serving(only_reads) as endpoint, sending() as client:
            target = endpoint.target(scheme="https", timeout_seconds=SECONDS)
            assert (await ask(client, target)).failure is Failure.CONNECT_TIMEOUT
            assert endpoint.made == 1
            await until(lambda: endpoint.open == 0)

    run(story)


def test_bad_certificates_are_certificates() -> None:
    authority = Authority()

    async def story() -> None:
        for issued in (authority.issue("127.0.0.1", days=-1), authority.issue("other.test")):
            async with serving(hangs, ssl=server(issued)) as endpoint, sending() as client:
                target = endpoint.target(scheme="https", tls=tls.context(authority.pem))
                assert (await ask(client, target)).failure is Failure.CERTIFICATE

    run(story)


def test_who_was_held_up_reads_first_what_came_meanwhile() -> None:
    """The answer is there, though its time is up: whatever is done with another one took too long."""

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            async with sending() as client:
                target = Endpoint(listening.getsockname()[1]).target(timeout_seconds=0.5)
                connections = []
                first: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

                def hold_up(answer: Answer) -> None:
                    connections[1].sendall(OK)
                    time.sleep(0.8)
                    first.set_result(answer)

                client.send(target, [], b"", hold_up)
                connections.append((await asyncio.to_thread(listening.accept))[0])
                second = ask(client, target)
                connections.append((await asyncio.to_thread(listening.accept))[0])
                for connection in connections:
                    await asyncio.to_thread(connection.recv, 1000)
                connections[0].sendall(OK)
                assert (await first).status == 200
                assert (await second).status == 200
                for connection in connections:
                    connection.close()

    run(story)


def test_a_loop_that_is_held_up_all_the_time_keeps_deadlines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_HELD_UP_SECONDS", 0.0)

    async def story() -> None:
        async with serving(hangs) as endpoint, sending() as client, asyncio.timeout(5):
            answer = await ask(client, endpoint.target(timeout_seconds=SECONDS))
            assert answer.failure is Failure.TIMEOUT

    run(story)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["127.0.0.1", "127.0.0.2"]])
def test_who_was_held_up_does_not_take_that_for_a_connection_that_was_not_made(addresses: list[str]) -> None:
    seconds = 0.6 * len(addresses)

    async def held_up(host: str, port: int) -> list[str]:
        # Right after it has begun to connect.
        asyncio.get_running_loop().call_soon(time.sleep, 0.9)
        return addresses

    async def story() -> None:
        async with serving(answering(OK)) as endpoint, sending(resolve=held_up) as client:
            target = endpoint.target(host="hooks.example.org", timeout_seconds=seconds)
            assert (await ask(client, target)).status == 200

    run(story)
