"""TLS: whom an endpoint has to be signed by, as whom Relay comes, and what is said if it fails."""

import asyncio
import random
import socket
import ssl
import threading
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from relaycore.sending.answers import Answer, Failure
from tests.unit.webhooks_app.http.certificates import Authority, Issued, server
from tests.unit.webhooks_app.http.endpoints import (
    OK,
    Endpoint,
    answer_ok,
    answering,
    ask,
    run,
    sending,
    serving,
)
from webhooks_app.http import tls


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def issued(authority: Authority) -> Issued:
    return authority.issue("hooks.test", "127.0.0.1")


async def here(host: str, port: int) -> list[str]:
    return ["127.0.0.1"]


def attempt(
    context: ssl.SSLContext, trusted: ssl.SSLContext | None, host: str = "hooks.test"
) -> tuple[Answer, Any]:
    """One request to a server of this context; the answer, and what the server has seen."""
    seen: list[Any] = []

    async def story() -> None:
        async with serving(answer_ok, ssl=context) as endpoint, sending(resolve=here) as client:
            target = endpoint.target(scheme="https", host=host, tls=trusted, timeout_seconds=5)
            seen.append(await ask(client, target))
            if seen[0].status:
                assert (await ask(client, target)).status == 200
                assert endpoint.made == 1
            seen.append(endpoint)

    run(story)
    return seen[0], seen[1]


@pytest.mark.parametrize("host", ["hooks.test", "127.0.0.1"])
def test_a_server_whose_authority_is_trusted_is_sent_to(
    authority: Authority, issued: Issued, host: str
) -> None:
    asked: list[str | None] = []
    context = server(issued)
    context.sni_callback = lambda _, name, __: asked.append(name)  # type: ignore[assignment]
    answer, _ = attempt(context, tls.context(authority.pem), host)
    assert answer.status == 200
    assert asked == ["hooks.test" if host == "hooks.test" else None]


def test_what_is_larger_than_a_record_arrives(authority: Authority, issued: Issued) -> None:
    body = random.Random(1).randbytes(1 << 20)
    large = b"HTTP/1.1 200 OK\r\ncontent-length: 50000\r\n\r\n" + b"x" * 50_000

    async def story() -> None:
        async with serving(answering(large), ssl=server(issued)) as endpoint, sending() as client:
            target = endpoint.target(scheme="https", tls=tls.context(authority.pem))
            for size in (1 << 20, 0, 16_384, 16_385, 100_000):
                answer = await ask(client, target, body[:size])
                assert (answer.status, answer.detail) == (200, "")
                assert endpoint.requests[-1][1] == body[:size]
            assert endpoint.made == 1

    run(story)


def test_an_answer_that_ends_with_the_connection_ends(authority: Authority, issued: Issued) -> None:
    async def story() -> None:
        said = answering(b"HTTP/1.1 200 OK\r\n\r\nhello", then_close=True)
        async with serving(said, ssl=server(issued)) as endpoint, sending() as client:
            target = endpoint.target(scheme="https", tls=tls.context(authority.pem))
            for _ in range(3):
                answer = await ask(client, target)
                assert (answer.status, answer.body) == (200, b"hello")

    run(story)


def test_a_kept_connection_that_ends_costs_no_attempt(authority: Authority, issued: Issued) -> None:
    async def story() -> None:
        async with (
            serving(answering(OK, then_close=True), ssl=server(issued)) as endpoint,
            sending() as client,
        ):
            target = endpoint.target(scheme="https", tls=tls.context(authority.pem))
            for _ in range(5):
                assert (await ask(client, target)).status == 200

    run(story)


def test_whose_authority_nobody_knows_is_not(issued: Issued) -> None:
    for trusted in (None, tls.context(Authority().pem)):
        answer, endpoint = attempt(server(issued), trusted)
        assert answer.failure is Failure.CERTIFICATE
        assert "not trusted" in answer.detail
        assert endpoint.requests == []


@pytest.mark.parametrize(
    ("names", "days", "says"),
    [(["hooks.test"], -1, "expired"), (["other.test"], 1, "mismatch"), (["*.hooks.test"], 1, "mismatch")],
)
def test_a_certificate_that_has_run_out_or_is_of_another_name_is_not(
    authority: Authority, names: list[str], days: int, says: str
) -> None:
    answer, endpoint = attempt(server(authority.issue(*names, days=days)), tls.context(authority.pem))
    assert answer.failure is Failure.CERTIFICATE
    assert says in answer.detail.lower()
    assert endpoint.requests == []


def test_versions_before_1_2_are_not_spoken(authority: Authority, issued: Issued) -> None:
    context = server(issued)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    answer, _ = attempt(context, tls.context(authority.pem))
    assert answer.failure is Failure.TLS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_relay_shows_a_certificate_of_its_own(
    authority: Authority, issued: Issued, version: ssl.TLSVersion
) -> None:
    context = server(issued, clients_of=authority)
    context.minimum_version = context.maximum_version = version
    own = authority.issue("relay.test")
    answer, _ = attempt(context, tls.context(authority.pem, own.certificate, own.key))
    assert answer.status == 200


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_is_heard(
    authority: Authority, issued: Issued, version: ssl.TLSVersion
) -> None:
    """From 1.3 on it says so only after the client takes TLS to have begun."""
    context = server(issued, clients_of=authority)
    context.minimum_version = context.maximum_version = version

    has_heard = threading.Event()

    def refuse(listening: socket.socket) -> None:
        accepted = listening.accept()[0]
        with context.wrap_socket(accepted, server_side=True, do_handshake_on_connect=False) as refused:
            with pytest.raises(ssl.SSLError, match="did not return a certificate"):
                refused.do_handshake()
            has_heard.wait(5)  # Whoever closes with something unread resets, and takes what he said along.

    async def story() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listening:
            refused = asyncio.create_task(asyncio.to_thread(refuse, listening))
            async with sending(resolve=here) as client:
                target = Endpoint(listening.getsockname()[1]).target(
                    scheme="https", host="hooks.test", tls=tls.context(authority.pem), timeout_seconds=5
                )
                answer = await ask(client, target)
                has_heard.set()
                await refused
        assert answer.failure is Failure.TLS
        assert "certificate required" in answer.detail or "handshake failure" in answer.detail

    run(story)


def test_what_speaks_no_tls_is_said_to(authority: Authority) -> None:
    async def story() -> None:
        async with serving(answer_http_to_anything) as endpoint, sending() as client:
            answer = await ask(client, endpoint.target(scheme="https", timeout_seconds=5))
            assert answer.failure is Failure.TLS

    run(story)


def test_tickets_without_end_end_the_connection(authority: Authority, issued: Issued) -> None:
    """What TLS has to say beside an answer is bounded: each ticket costs more than a piece of an answer."""
    some, many = server(issued), server(issued)
    some.num_tickets, many.num_tickets = 20, 1000
    trusted = tls.context(authority.pem)
    assert attempt(some, trusted)[0].status == 200
    answer, _ = attempt(many, trusted)
    assert (answer.status, answer.failure) == (None, Failure.TLS)
    assert answer.detail == "TLS was ended: too much that is nothing of an answer."
    assert answer.seconds < 4, "it is not the deadline that has ended it"


def test_a_handshake_without_end_is_ended(authority: Authority) -> None:
    """OpenSSL passes over each request for a handshake that comes within one."""
    poured = 0

    async def pours(_: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal poured
        while True:
            writer.write(b"\x16\x03\x03\x40\x00" + bytes(16 << 10))
            await writer.drain()
            poured += 16 << 10

    async def story() -> None:
        async with serving(pours) as endpoint, sending() as client:
            target = endpoint.target(scheme="https", tls=tls.context(authority.pem), timeout_seconds=5)
            answer = await ask(client, target)
            assert answer.failure is Failure.TLS
            assert answer.detail == "TLS could not begin: too much that is nothing of an answer."

    run(story)
    assert poured < 32 << 20, "a deadline has ended it"


def test_an_answer_in_many_records_is_an_answer(authority: Authority, issued: Issued) -> None:
    answer = b"HTTP/1.1 200 OK\r\nx: %b\r\ncontent-length: 2\r\n\r\nok" % (b"a" * 1500)

    async def drips(_: Endpoint, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await reader.readuntil(b"hello")
            for number in range(len(answer)):
                writer.write(answer[number : number + 1])  # Each is a record.

    async def story() -> None:
        async with serving(drips, ssl=server(issued)) as endpoint, sending() as client:
            target = endpoint.target(scheme="https", tls=tls.context(authority.pem), timeout_seconds=5)
            for _ in range(3):
                assert (await ask(client, target)).status == 200
            assert endpoint.made == 1, "the bound is of one answer"

    run(story)


async def answer_http_to_anything(_: Any, reader: Any, writer: Any) -> None:
    await reader.read(1)
    writer.write(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")


def test_a_context_is_made_once(authority: Authority, issued: Issued) -> None:
    assert tls.context(authority.pem) is tls.context(authority.pem)
    assert tls.context() is not tls.context(authority.pem)
    assert tls.context().minimum_version == ssl.TLSVersion.TLSv1_2
    assert tls.context().verify_mode == ssl.CERT_REQUIRED
    assert tls.context().check_hostname


def with_password(key: str) -> str:
    encryption = serialization.BestAvailableEncryption(b"s3cret")
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    return serialization.load_pem_private_key(key.encode(), None).private_bytes(*form).decode()


def test_what_is_no_certificate_is_refused_and_not_shown(authority: Authority, issued: Issued) -> None:
    other = authority.issue("relay.test")
    for wrong in (
        ("s3cret", None, None),
        ("", "s3cret", "s3cret"),
        (authority.pem, issued.certificate, None),
        (authority.pem, issued.certificate, other.key),
        (authority.pem, "", issued.key),
        (authority.pem, issued.certificate, with_password(issued.key)),
    ):
        with pytest.raises(ValueError, match=r"no certificates in PEM") as caught:
            tls.context(*wrong)
        assert "s3cret" not in str(caught.value)
