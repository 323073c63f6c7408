"""A request, its answer, and the connection between them."""

import asyncio
import tomllib
from pathlib import Path
from typing import Any

import pytest

from relaycore.errors import BadHeaders
from relaycore.sending.answers import Answer, Failure
from tests.unit.webhooks_app.http.endpoints import (
    HEAD,
    HERE,
    OK,
    Endpoint,
    Script,
    answer_ok,
    answering,
    ask,
    run,
    sending,
    serving,
    until,
)
from webhooks_app.http import client as client_module
from webhooks_app.http import connection
from webhooks_app.http.once import ask as ask_once
from webhooks_app.http.target import AGENT


def test_a_request_is_written_as_it_is_meant() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target("/a/b?c=d", headers={"X-Owner": "s3cret"})
            head = [(b"webhook-id", b"1"), (b"content-type", b"a/b")]
            answer = await ask(client, target, b"\x00body\r\n", head)
            assert (answer.status, answer.failure, answer.body, answer.detail) == (200, None, b"ok", "")
            assert 0 < answer.seconds < 10
            [(asked, body)] = endpoint.requests
            assert body == b"\x00body\r\n"
            assert asked.decode().split("\r\n") == [
                "POST /a/b?c=d HTTP/1.1",
                f"host: 127.0.0.1:{endpoint.port}",
                f"user-agent: {AGENT}",
                "accept: */*",
                "X-Owner: s3cret",
                "webhook-id: 1",
                "content-type: a/b",
                "content-length: 7",
                *("", ""),
            ]
            assert "s3cret" not in repr(target)

    run(story)


def test_it_says_which_version_it_is() -> None:
    project = tomllib.loads((Path(__file__).parents[4] / "pyproject.toml").read_text())
    assert f"Relay/{project['project']['version']}" == AGENT


def test_another_method_has_a_body_of_no_bytes() -> None:
    async def story() -> None:
        said = b"HTTP/1.1 200 OK\r\nWebHook-Allowed-Rate: 120\r\nX-Other: s3cret\r\ncontent-length: 0\r\n\r\n"
        async with serving(answering(said)) as endpoint, sending() as client:
            answer = await ask(client, endpoint.target(method="OPTIONS"), b"", [])
            assert answer.headers == {"webhook-allowed-rate": "120"}
            assert endpoint.requests[0][0].startswith(b"OPTIONS /hook HTTP/1.1\r\n")

    run(story)


def test_one_may_be_sent_without_an_event_loop() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint:
            answer = await asyncio.to_thread(ask_once, endpoint.target(), HEAD, b"hello", HERE)
            assert answer.status == 200

    run(story)


# --- connections -------------------------------------------------------------------------


def test_a_connection_is_kept_and_carries_one_request_after_another() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target()
            for _ in range(5):
                assert (await ask(client, target)).status == 200
            assert endpoint.made == 1
            assert client.under_way == 0

    run(story)


def test_there_are_never_more_connections_than_may_be_and_who_waits_comes_in_order() -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target(max_connections=3)
            bodies = [b"%d" % number for number in range(40)]
            answers = await asyncio.gather(*(ask(client, target, body) for body in bodies))
            assert [answer.status for answer in answers] == [200] * 40
            assert endpoint.most_open == endpoint.made == 3
            assert sorted(body for _, body in endpoint.requests) == sorted(bodies)
            async with serving(answer_ok) as one_by_one:
                target = one_by_one.target(max_connections=1)
                await asyncio.gather(*(ask(client, target, body) for body in bodies))
                assert [body for _, body in one_by_one.requests] == bodies

    run(story)


@pytest.mark.parametrize("max_connections", [1, 4])
def test_whoever_closes_after_each_answer_gets_all(max_connections: int) -> None:
    async def story() -> None:
        closing = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
        for said in (closing, b"HTTP/1.0 200 OK\r\n\r\nok", OK):
            async with serving(answering(said, then_close=True)) as endpoint, sending() as client:
                target = endpoint.target(max_connections=max_connections)
                answers = await asyncio.gather(*(ask(client, target, b"%d" % n) for n in range(20)))
                assert {(answer.status, answer.body) for answer in answers} == {(200, b"ok")}
                if max_connections == 1:
                    assert [body for _, body in endpoint.requests] == [b"%d" % n for n in range(20)]

    run(story)


def test_one_that_was_closed_meanwhile_costs_no_attempt() -> None:
    """The server closes at the moment in which the next request is on its way there."""

    async def at_the_second(
        endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        await endpoint.request(reader)

    async def story() -> None:
        async with serving(at_the_second) as endpoint, sending() as client:
            target = endpoint.target()
            assert [(await ask(client, target, b"%d" % number)).status for number in range(4)] == [200] * 4
            assert [body for _, body in endpoint.requests] == [b"0", *(b"%d" % n for n in (1, 1, 2, 2, 3, 3))]
            assert endpoint.made == 4

    run(story)


def test_a_new_connection_that_is_closed_is_an_attempt() -> None:
    async def first_request(
        endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await endpoint.request(reader)

    async def story() -> None:
        async with serving(first_request) as endpoint, sending() as client:
            answer = await ask(client, endpoint.target())
            assert (answer.status, answer.failure, answer.is_unsent) == (None, Failure.RESET, False)
            assert len(endpoint.requests) == 1

    run(story)


def test_half_an_answer_on_a_kept_connection_is_an_attempt() -> None:
    async def story() -> None:
        async with serving(answering(OK, b"HTTP/1.1 2", then_close=False)) as endpoint, sending() as client:
            target = endpoint.target(timeout_seconds=0.3)
            assert (await ask(client, target)).status == 200
            answer = await ask(client, target)
            assert (answer.failure, len(endpoint.requests)) == (Failure.TIMEOUT, 2)

    run(story)


def test_what_nobody_asked_for_ends_a_kept_connection() -> None:
    async def talks(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        await reader.read()

    async def story() -> None:
        async with serving(talks) as endpoint, sending() as client:
            target = endpoint.target()
            assert (await ask(client, target)).status == 200
            await until(lambda: endpoint.open == 0)
            assert (await ask(client, target)).status == 200
            assert endpoint.made == 2

    run(story)


def timing_out(head: bytes, *, at_once: bool) -> Script:
    """The first connection carries one request, and the second one is told that nothing has come in time."""

    async def script(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = endpoint.made
        while True:
            await endpoint.request(reader)
            if number == 1 and (at_once or len(endpoint.requests) > 1):
                writer.write(head)
                return
            writer.write(OK)

    return script


@pytest.mark.parametrize("more", [b"content-length: 0\r\n", b"connection: close\r\n", b""])
def test_a_timeout_of_a_kept_connection_costs_no_attempt(more: bytes) -> None:
    """Some servers say so before they close one that is idle, when a request may be on its way."""
    head = b"HTTP/1.1 408 Request Timeout\r\n" + more + b"\r\n"

    async def story() -> None:
        async with serving(timing_out(head, at_once=False)) as endpoint, sending() as client:
            target = endpoint.target()
            assert [(await ask(client, target)).status for _ in range(3)] == [200] * 3
            assert (endpoint.made, len(endpoint.requests)) == (2, 4)
        async with serving(timing_out(head, at_once=True)) as endpoint, sending() as client:
            assert (await ask(client, endpoint.target())).status == 408, "it had carried nothing before"
        always = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n"
        async with serving(answering(OK, always)) as endpoint, sending() as client:
            target = endpoint.target()
            assert (await ask(client, target)).status == 200
            assert (await ask(client, target)).status == 408, "once more, and not for ever"
            assert len(endpoint.requests) == 3

    run(story)


def test_a_body_that_ends_with_the_connection_has_come_to_its_end() -> None:
    async def story() -> None:
        for head, detail in (
            (b"HTTP/1.0 200 OK\r\n\r\nok", ""),
            (b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nok", CUT),
        ):
            async with serving(answering(head, then_close=True)) as endpoint, sending() as client:
                answer = await ask(client, endpoint.target())
                assert (answer.status, answer.body, answer.detail) == (200, b"ok", detail)

    run(story)


CUT = "The body of the answer did not come to its end."


def test_what_no_content_has_behind_it_is_not_the_next_answer() -> None:
    async def talks(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await endpoint.request(reader)
            writer.write(b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n")
            await asyncio.sleep(0.05)
            writer.write(b"hello")

    async def story() -> None:
        async with serving(talks) as endpoint, sending() as client:
            target = endpoint.target(max_connections=1)
            answers = [ask(client, target) for _ in range(3)]
            assert [(await one).status for one in answers] == [204] * 3

    run(story)


def test_who_answers_before_he_has_taken_the_request_is_not_asked_again_on_that_connection() -> None:
    async def early(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n")
        await asyncio.sleep(30)

    async def story() -> None:
        async with serving(early, limit=1024) as endpoint, sending() as client:
            target = endpoint.target(max_connections=1, timeout_seconds=5)
            for made in (1, 2):
                answer = await ask(client, target, bytes(32 << 20))
                assert (answer.status, answer.failure) == (413, None)
                assert endpoint.made == made

    run(story)


def test_idle_connections_are_closed_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "IDLE_SECONDS", 0.2)

    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            await asyncio.gather(*(ask(client, endpoint.target()) for _ in range(4)))
            await until(lambda: endpoint.open == 0)
            await until(lambda: not client._pools)
            assert client._next_scan is None

    run(story)


def test_a_connection_is_not_used_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy it is: the name may lead elsewhere by now."""
    monkeypatch.setattr(connection, "LIFE_SECONDS", 0.2)

    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target()
            async with asyncio.timeout(10):
                while endpoint.made < 3:
                    assert (await ask(client, target)).status == 200
            assert len(endpoint.requests) > 3
            assert endpoint.most_open <= 2

    run(story)


def test_a_target_that_is_forgotten_keeps_no_connection() -> None:
    async def story() -> None:
        async with serving(slow_ok) as endpoint, sending() as client:
            target = endpoint.target()
            await ask(client, target)
            under_way = ask(client, target)
            client.forget(target)
            assert (await under_way).status == 200
            await until(lambda: endpoint.open == 0)
            client.forget(endpoint.target())

    run(story)


async def slow_ok(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        await endpoint.request(reader)
        await asyncio.sleep(0.05)
        writer.write(OK)


# --- one answer each ---------------------------------------------------------------------


def test_a_callback_that_fails_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            target = endpoint.target()
            calls: list[Answer] = []

            def fail(answer: Answer) -> None:
                calls.append(answer)
                raise ValueError("s3cret")

            client.send(target, HEAD, b"", fail)
            await until(lambda: calls)
            assert (await ask(client, target)).status == 200
            assert endpoint.made == 1
            assert len(calls) == 1

    run(story)
    assert "has failed" in caplog.text


def test_closing_tells_everybody_once() -> None:
    async def hangs(endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await endpoint.request(reader)
        await reader.read()

    async def never(host: str, port: int) -> Any:
        await asyncio.sleep(30)

    async def story() -> None:
        async with serving(hangs) as endpoint, sending(resolve=never) as client:
            written = ask(client, target := endpoint.target(max_connections=1))
            await until(lambda: endpoint.requests)
            waits = ask(client, target)
            resolves = ask(client, endpoint.target(host="hooks.example.org"))
            await asyncio.sleep(0.02)
            client.close()
            answers = [future.result() for future in (written, waits, resolves)]
            assert {answer.failure for answer in answers} == {Failure.OURS}
            assert [answer.is_unsent for answer in answers] == [False, True, True]
            late = ask(client, target)
            assert (await late).is_unsent
            assert client.under_way == 0
            await until(lambda: endpoint.open == 0)
            await until(lambda: all(pool.is_empty for pool in client._pools.values()))

    run(story)


def test_what_is_refused_and_ended_at_once_is_told_once() -> None:
    async def story() -> None:
        allowed = [True]
        async with serving(answer_ok) as endpoint, sending(may_send=lambda: allowed[0]) as client:
            await ask(client, target := endpoint.target())
            allowed[0] = False
            told: list[Answer] = []
            client.send(target, HEAD, b"", told.append)
            client.close()
            await asyncio.sleep(0.05)
            assert len(told) == 1

    run(story)


def test_while_nothing_may_be_sent_nothing_is() -> None:
    async def story() -> None:
        allowed = [True]
        async with serving(slow_ok) as endpoint, sending(may_send=lambda: allowed[0]) as client:
            target = endpoint.target(max_connections=1)
            kept = [ask(client, target) for _ in range(3)]
            await until(lambda: endpoint.requests)
            allowed[0] = False
            assert (await kept[0]).status == 200
            for future in (*kept[1:], ask(client, target), ask(client, endpoint.target())):
                answer = await future
                assert (answer.failure, answer.is_unsent) == (Failure.OURS, True)
            assert len(endpoint.requests) == 1
            allowed[0] = True
            assert (await ask(client, target)).status == 200

    run(story)


def test_what_was_begun_and_may_not_be_sent_when_it_is_written_is_not() -> None:
    async def story() -> None:
        allowed = [True]
        async with serving(answer_ok) as endpoint, sending(may_send=lambda: allowed[0]) as client:
            target = endpoint.target()
            assert (await ask(client, target)).status == 200
            begun = ask(client, target)
            allowed[0] = False
            answer = await begun
            assert (answer.failure, answer.is_unsent) == (Failure.OURS, True)
            allowed[0] = True
            assert (await ask(client, target)).status == 200
            assert (len(endpoint.requests), endpoint.made) == (2, 1)

    run(story)


def test_thousands_that_may_not_be_sent_are_told_so() -> None:
    async def story() -> None:
        allowed = [True]
        async with serving(slow_ok) as endpoint, sending(may_send=lambda: allowed[0]) as client:
            target = endpoint.target(max_connections=1)
            under_way = [ask(client, target) for _ in range(3000)]
            await until(lambda: endpoint.requests)
            allowed[0] = False
            answers = await asyncio.gather(*under_way)
            assert [answer.is_unsent for answer in answers] == [False] + [True] * 2999

    run(story)


def test_whoever_sends_on_while_it_is_closed_is_told_so() -> None:
    async def story() -> None:
        async with serving(slow_ok) as endpoint, sending() as client:
            target, told = endpoint.target(), []

            def again(answer: Answer) -> None:
                told.append(answer.is_unsent)
                if len(told) < 10:
                    client.send(target, HEAD, b"", again)

            client.send(target, HEAD, b"", again)
            await until(lambda: endpoint.requests)
            client.close()
            assert told == [False]
            await until(lambda: len(told) == 10)
            assert told[1:] == [True] * 9

    run(story)


def test_what_is_sent_once_more_may_be_sent() -> None:
    """The sender is frozen for a moment after the request was written, and has lost its lease meanwhile."""
    allowed = [True]

    async def at_the_second(
        endpoint: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await endpoint.request(reader)
        writer.write(OK)
        await endpoint.request(reader)
        allowed[0] = False

    async def story() -> None:
        async with serving(at_the_second) as endpoint, sending(may_send=lambda: allowed[0]) as client:
            target = endpoint.target()
            assert (await ask(client, target)).status == 200
            answer = await ask(client, target)
            assert (answer.failure, answer.is_unsent) == (Failure.OURS, False), "the first try was written"
            assert len(endpoint.requests) == 2

    run(story)


@pytest.mark.parametrize(
    "head",
    [
        [(b"content-type", b"text/plain\r\nx-injected: 1")],
        [(b"x\r\ny", b"1")],
        [(b"", b"1")],
        [(b"x", b"\xff")],
        [(b"Content-Length", b"0")],
        [(b"transfer-encoding", b"chunked")],
        [(b"host", b"other.example.org")],
    ],
)
def test_what_would_be_another_request_is_not_sent(head: list[tuple[bytes, bytes]]) -> None:
    async def story() -> None:
        async with serving(answer_ok) as endpoint, sending() as client:
            answer = await ask(client, endpoint.target(), head=head)
            assert (answer.status, answer.failure, answer.is_unsent) == (None, Failure.REQUEST, False)
            assert endpoint.made == 0
            with pytest.raises(BadHeaders):
                endpoint.target(headers={"Host": "other.example.org"})

    run(story)
