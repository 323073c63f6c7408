"""Clients that are of no use cost those that are hardly anything."""

import ast
import contextlib
import http.client
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings as django_settings

from relaybase.http import connections
from tests.integration.publishing.killed_web import Web

pytestmark = pytest.mark.django_db(transaction=True)

START = "/api/v1/start-listening"
REQUESTS = 200
LOAD_SECONDS = 25.0
MOST_TIMES = 2.0
"""So much slower the others may become."""
MOST_BYTES = 30 << 20
"""So much more a web process may have."""
# By what the kernel and other tests do meanwhile the slowest of 200 may be slow by chance.
ROUNDS, TRIES = 3, 3


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process as it is in production, behind a proxy."""
    return serve(RELAY_TRUSTED_PROXIES="127.0.0.1")


@contextlib.contextmanager
def careless(kind: str) -> Iterator[Web]:
    """A web process without what holds bad clients back (`careless_web`)."""
    program = ("tests.integration.api.careless_web", kind)
    web = Web(django_settings.SERVERS.redis_url, program, RELAY_TRUSTED_PROXIES="127.0.0.1")
    try:
        yield web
    finally:
        web.stop()


@contextlib.contextmanager
def load(url: str, *kinds: str) -> Iterator[subprocess.Popen[str]]:
    """Bad clients of these kinds, until they stop by themselves."""
    where = urlsplit(url)
    command = [sys.executable, "-m", "tests.integration.api.bad_clients"]
    arguments = [str(where.hostname), str(where.port), str(LOAD_SECONDS), *kinds]
    with subprocess.Popen([*command, *arguments], stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def _process(url: str) -> psutil.Process:
    port = str(urlsplit(url).port)
    (found,) = (child for child in psutil.Process().children(recursive=True) if port in child.cmdline())
    return found


def _slowest_of_a_hundred(url: str, token: str, requests: int = REQUESTS) -> float:
    """Seconds: 99 of 100 requests are faster, by so many."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    took = []
    for _ in range(requests):
        began = time.perf_counter()
        connection.request("GET", "/api/v1/channels", headers={"Authorization": f"Bearer {token}"})
        answer = connection.getresponse()
        answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200
    connection.close()
    return sorted(took)[requests * 99 // 100]


@dataclass(slots=True)
class _Cost:
    """What bad clients cost the others.

    times: so much slower they became, in each round one try after another
    bytes: so much more the web process had
    told:  how often the bad ones were told what
    """

    times: list[list[float]] = field(default_factory=list)
    bytes: int = 0
    told: Counter[str] = field(default_factory=Counter)


def _cost(
    url: str,
    pid: int,
    token: str,
    kinds: Sequence[str],
    is_enough: Callable[[float], bool],
    requests: int = REQUESTS,
) -> _Cost:
    """In several rounds, until one is enough, by how much slower the others have become at least."""
    process, cost = psutil.Process(pid), _Cost()
    with load(url, "guessing"):  # What is loaded with the first ones, of each kind.
        _slowest_of_a_hundred(url, token)
        time.sleep(2)
    before = process.memory_info().rss
    for _ in range(ROUNDS):
        # Just before, since whatever else the machine has to do comes and goes.
        without = max(_slowest_of_a_hundred(url, token, requests) for _ in range(2))
        with load(url, *kinds) as clients:
            began, times = time.monotonic(), list[float]()
            while time.monotonic() - began < LOAD_SECONDS - 5:
                if len(times) < TRIES or min(times) > MOST_TIMES:
                    times.append(_slowest_of_a_hundred(url, token, requests) / without)
                cost.bytes = max(cost.bytes, process.memory_info().rss - before)
                time.sleep(0.05)
            cost.told.update(ast.literal_eval(clients.communicate(timeout=30)[0]))
        cost.times.append(times)
        if is_enough(min(times)):
            break
    return cost


@pytest.mark.timeout(400)
def test_slow_and_unfinished_requests_and_who_guesses_cost_the_others_little(web: str, token: str) -> None:
    kinds = ("slow", "unfinished", "guessing")
    cost = _cost(web, _process(web).pid, token, kinds, lambda times: times <= MOST_TIMES)
    _require_all_were_sent_away(cost.told)
    assert min(map(min, cost.times)) <= MOST_TIMES, cost.times
    assert cost.bytes <= MOST_BYTES, cost.bytes >> 20


@pytest.mark.timeout(400)
def test_control_hashed_where_it_is_asked_for_who_guesses_slows_down_everybody(token: str) -> None:
    with careless("prompt") as web:
        # Few, since each takes long.
        cost = _cost(web.url, web.pid, token, ["guessing"], lambda times: times > MOST_TIMES, REQUESTS // 5)
    assert cost.told["guessing 200"] >= 8
    assert max(map(min, cost.times)) > MOST_TIMES, cost.times


def test_control_read_before_anybody_is_asked_who_he_is_what_is_unfinished_is_kept(token: str) -> None:
    with careless("trustful") as web, load(web.url, "unfinished"):
        process = psutil.Process(web.pid)
        before, most, until = process.memory_info().rss, 0, time.monotonic() + LOAD_SECONDS - 5
        while most <= MOST_BYTES and time.monotonic() < until:
            most = max(most, process.memory_info().rss - before)
            time.sleep(0.05)
    assert most > MOST_BYTES


def _require_all_were_sent_away(told: Counter[str]) -> None:
    refusals = {"401", "408", "503", "closed"}
    allowed = {f"{kind} {status}" for kind in ("slow", "unfinished") for status in refusals}
    assert told.keys() <= {*allowed, "guessing 200", "guessing 429"}
    assert told["unfinished 401"] >= 200
    # None of the 500 stays: each is told to go, some of them since there are too many.
    assert (
        sum(told[f"{kind} {status}"] for kind in ("slow", "unfinished") for status in ("408", "503")) >= 500
    )
    # Nobody was kept from guessing by a limit: each had a password looked at.
    assert told["guessing 200"] >= 1


def _say(url: str, sent: bytes) -> socket.socket:
    where = urlsplit(url)
    connection = socket.create_connection((str(where.hostname), int(where.port or 0)), timeout=15)
    connection.sendall(sent)
    return connection


def _heard(connection: socket.socket) -> bytes:
    said = b""
    with connection, contextlib.suppress(ConnectionResetError):
        while found := connection.recv(4096):
            said += found
    return said


@pytest.mark.parametrize(
    ("headers", "path", "status", "about"),
    [
        ("transfer-encoding: chunked", START, 401, b"credentials were not provided"),
        ("transfer-encoding: chunked\r\nauthorization: Bearer nobody", START, 401, b"unknown, expired"),
        ("content-length: 1000000", START, 401, b"credentials were not provided"),
        ("content-length: 1000000\r\ncookie: sessionid=nobody", START, 401, b"credentials were not provided"),
        ("content-length: 1000000", "/admin/login/", 413, b"at most 65536 bytes"),
        ("content-length: 1000000\r\nauthorization: Bearer nobody", "/admin/login/", 401, b"unknown"),
    ],
)
def test_a_strangers_body_is_refused_before_it_is_read(
    web: str, headers: str, path: str, status: int, about: bytes
) -> None:
    said = _heard(_say(web, f"POST {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n".encode()))

    assert said.startswith(b"HTTP/1.1 %d " % status)
    assert about in said
    assert b"connection: close" in said
    assert (b"www-authenticate: Bearer" in said) is (status == 401)


def test_a_session_may_send_a_large_form(web: str, browser: object) -> None:
    key = browser.cookies["sessionid"].value  # type: ignore[attr-defined]
    head = (
        f"POST {START} HTTP/1.1\r\nhost: localhost\r\ncookie: a=b; sessionid={key}\r\nconnection: close\r\n"
    )
    large = b"x" * 1_000_000

    said = _heard(_say(web, f"{head}content-length: {len(large)}\r\n\r\n".encode() + large))

    # It was read, and refused for another reason: there is no CSRF token.
    assert said.startswith(b"HTTP/1.1 403 ")
    assert b"CSRF" in said


def test_headers_that_do_not_end_are_refused(web: str) -> None:
    endless = b"GET / HTTP/1.1\r\nx-long: " + b"x" * (connections.MOST_HEAD_BYTES + 1000)

    assert _heard(_say(web, endless)).startswith(b"HTTP/1.1 431 ")


def test_who_says_nothing_is_hung_up_on(web: str) -> None:
    began = time.monotonic()
    silent, trickling = _say(web, b""), _say(web, b"GET / HTTP/1.1\r\n")

    assert _heard(trickling).startswith(b"HTTP/1.1 408 ")
    assert _heard(silent) == b""
    assert connections.HEAD_SECONDS - 1 < time.monotonic() - began < connections.HEAD_SECONDS + 3


def test_a_connection_is_used_again_after_a_refusal_and_after_a_body(web: str, token: str) -> None:
    connection = http.client.HTTPConnection(urlsplit(web).netloc, timeout=10)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for _ in range(3):
        connection.request("POST", START, b'{"nothing": "' + b"x" * 500_000 + b'"}', headers)
        answer = connection.getresponse()
        assert (answer.status, b"Unknown" in answer.read()) == (400, True)
        socket_before = connection.sock
    assert connection.sock is socket_before
    connection.close()
