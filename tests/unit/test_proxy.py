"""The proxy of the fault tests does what it says, and says when it did not."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tests import tls
from tests.proxy import Proxy

Wait = Callable[..., None]


class Echo:
    """A server that answers each line with itself and remembers the lines it got."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._threads.append(threading.Thread(target=self._serve, args=[connection]))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rwb") as lines:
            for line in lines:
                self.lines.append(line)
                lines.write(line)
                lines.flush()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(10)


@pytest.fixture
def echo() -> Iterator[Echo]:
    echo = Echo()
    yield echo
    echo.close()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port) as proxy:
        yield proxy


@contextlib.contextmanager
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=5) as connection:
        yield connection


def ask(connection: socket.socket, line: bytes) -> bytes:
    connection.sendall(line)
    answer = b""
    while len(answer) < len(line):
        piece = connection.recv(1 << 16)
        if not piece:
            raise ConnectionResetError("ended, not reset")
        answer += piece
    return answer


def hears_nothing(connection: socket.socket, seconds: float = 0.2) -> bool:
    connection.settimeout(seconds)
    try:
        return not connection.recv(1, socket.MSG_PEEK) and pytest.fail("the connection ended")
    except TimeoutError:
        return True
    finally:
        connection.settimeout(5)


def test_passes_everything_when_nothing_is_wrong(proxy: Proxy) -> None:
    long = bytes(range(65, 91)) * 100_000 + b"\n"
    with client(proxy) as one, client(proxy) as other:
        assert ask(one, b"one\n") == b"one\n"
        assert ask(other, long) == long
        assert proxy.accepted == proxy.open_links() == 2


def test_an_end_of_a_connection_passes(proxy: Proxy, wait_until: Wait) -> None:
    with client(proxy) as one:
        ask(one, b"one\n")
        one.shutdown(socket.SHUT_WR)
        assert one.recv(1) == b""
    wait_until(lambda: proxy.open_links() == 0)


def test_a_hole_swallows_both_directions_and_gives_back_in_the_end(proxy: Proxy, echo: Echo) -> None:
    with client(proxy) as one:
        ask(one, b"before\n")
        with proxy.hole() as hole:
            one.sendall(b"held\n")
            assert hears_nothing(one)
            assert echo.lines == [b"before\n"]
            assert hole.held == 1
        assert one.recv(100) == b"held\n"


def test_a_hole_may_swallow_answers_only(proxy: Proxy, echo: Echo, wait_until: Wait) -> None:
    with client(proxy) as one:
        with proxy.hole(up=False):
            one.sendall(b"asked\n")
            wait_until(lambda: echo.lines == [b"asked\n"])
            assert hears_nothing(one)
        assert one.recv(100) == b"asked\n"


def test_a_hole_may_swallow_questions_only(proxy: Proxy, echo: Echo, wait_until: Wait) -> None:
    with client(proxy) as one:
        with proxy.hole(down=False) as hole:
            one.sendall(b"asked\n")
            wait_until(lambda: hole.held)
            assert not echo.lines
        assert one.recv(100) == b"asked\n"


def test_a_hole_keeps_back_the_end_of_a_connection(proxy: Proxy, wait_until: Wait) -> None:
    with client(proxy) as one:
        ask(one, b"one\n")
        with proxy.hole() as hole:
            one.close()
            wait_until(lambda: hole.held)
            assert proxy.open_links() == 1, "half open"
    wait_until(lambda: proxy.open_links() == 0)


def test_a_hole_may_be_for_those_with_a_name(proxy: Proxy) -> None:
    with client(proxy) as named, client(proxy) as other:
        ask(named, b"I am named\n")
        ask(other, b"I am not\n")
        with proxy.hole(opening=b"named"):
            named.sendall(b"held\n")
            assert ask(other, b"passes\n") == b"passes\n"
            assert hears_nothing(named)


def test_a_hole_may_be_for_those_that_are_there(proxy: Proxy) -> None:
    with client(proxy) as early:
        ask(early, b"early\n")
        with proxy.hole(existing_only=True), client(proxy) as late:
            assert ask(late, b"passes\n") == b"passes\n"
            early.sendall(b"held\n")
            assert hears_nothing(early)


def test_a_connection_in_a_hole_can_be_reset(proxy: Proxy, echo: Echo, wait_until: Wait) -> None:
    with client(proxy) as one:
        ask(one, b"before\n")
        with proxy.hole() as hole:
            one.sendall(b"gone\n")
            wait_until(lambda: hole.held)
            assert proxy.reset_all() == 1
            with pytest.raises(ConnectionResetError):
                one.recv(1)
        wait_until(lambda: proxy.open_links() == 0)
    assert echo.lines == [b"before\n"]


def test_a_cut_reply_was_executed_and_never_comes(proxy: Proxy, echo: Echo) -> None:
    with proxy.cutting(2) as cut:
        for _ in range(2):
            with client(proxy) as one, pytest.raises(ConnectionResetError):
                ask(one, b"executed\n")
        assert cut.done == 2
        with client(proxy) as one:
            assert ask(one, b"passes\n") == b"passes\n"
    assert echo.lines == [b"executed\n", b"executed\n", b"passes\n"]


def test_only_replies_that_match_are_cut(proxy: Proxy) -> None:
    with proxy.cutting(1, like=rb"^\d+\n"):
        with client(proxy) as one:
            assert ask(one, b"word\n") == b"word\n"
            with pytest.raises(ConnectionResetError):
                ask(one, b"42\n")


def test_every_other_reply_is_cut(proxy: Proxy) -> None:
    passed = []
    with proxy.cutting(3, every=2):
        for _ in range(6):
            with client(proxy) as one, contextlib.suppress(ConnectionResetError):
                passed.append(ask(one, b"x\n"))
    assert len(passed) == 3


def test_refuses_new_connections_and_leaves_the_others(proxy: Proxy, wait_until: Wait) -> None:
    with client(proxy) as early:
        ask(early, b"early\n")
        with proxy.refusing() as refusal:
            with pytest.raises(ConnectionResetError), client(proxy) as late:
                ask(late, b"late\n")
            assert refusal.refused == 1
            assert ask(early, b"still\n") == b"still\n"
        with client(proxy) as late:
            assert ask(late, b"late\n") == b"late\n"


def test_resets_those_with_a_name(proxy: Proxy) -> None:
    with client(proxy) as named, client(proxy) as other:
        ask(named, b"I am named\n")
        ask(other, b"I am not\n")
        assert proxy.reset_all(opening=b"named") == 1
        with pytest.raises(ConnectionResetError):
            ask(named, b"more\n")
        assert ask(other, b"more\n") == b"more\n"


def test_latency_is_added_in_both_directions(proxy: Proxy) -> None:
    with client(proxy) as one:
        ask(one, b"quick\n")
        with proxy.latency(0.1) as delay:
            began = time.monotonic()
            ask(one, b"slow\n")
            assert 0.2 <= time.monotonic() - began < 2
            assert delay.delayed == 2


@pytest.mark.parametrize(
    "fault",
    [
        lambda proxy: proxy.hole(),
        lambda proxy: proxy.cutting(1),
        lambda proxy: proxy.refusing(),
        lambda proxy: proxy.latency(0.1),
    ],
    ids=["hole", "cut", "refusal", "latency"],
)
def test_a_fault_that_did_not_happen_fails(proxy: Proxy, fault: Callable[..., object]) -> None:
    with pytest.raises(AssertionError):
        with fault(proxy):  # type: ignore[attr-defined]
            pass


def test_a_failure_within_a_fault_is_not_hidden_by_it(proxy: Proxy) -> None:
    with pytest.raises(ZeroDivisionError):
        with proxy.hole():
            raise ZeroDivisionError


def test_a_server_that_is_away_is_away_for_clients_too() -> None:
    # It may come to that before the client has seen that it is connected.
    with Proxy("127.0.0.1", 1) as proxy, pytest.raises(ConnectionResetError), client(proxy) as one:
        ask(one, b"anybody?\n")


def test_a_url_keeps_everything_but_its_place() -> None:
    with Proxy.to("redis://user:secret@127.0.0.1:6379/3?timeout=1") as proxy:
        assert proxy.url == f"redis://user:secret@127.0.0.1:{proxy.port}/3?timeout=1"


def test_connections_may_be_led_elsewhere_while_those_that_are_there_stay(proxy: Proxy) -> None:
    with contextlib.closing(Echo()) as other, client(proxy) as before:
        assert ask(before, b"one\n") == b"one\n"
        proxy.lead_to(f"redis://127.0.0.1:{other.port}")
        with client(proxy) as after:
            assert ask(after, b"two\n") == b"two\n"
        assert ask(before, b"three\n") == b"three\n"
    assert other.lines == [b"two\n"]


@pytest.fixture
def encrypted(echo: Echo) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", echo.port, encrypted=True) as proxy:
        yield proxy


@contextlib.contextmanager
def encrypted_client(proxy: Proxy) -> Iterator[socket.socket]:
    trusting = ssl.create_default_context(cafile=tls.AUTHORITY)
    with client(proxy) as plain, trusting.wrap_socket(plain, server_hostname="localhost") as connection:
        yield connection


def test_an_encrypted_proxy_passes_everything_and_the_end(
    encrypted: Proxy, echo: Echo, wait_until: Wait
) -> None:
    with encrypted_client(encrypted) as one:
        long = bytes(range(65, 91)) * 10_000 + b"\n"
        assert ask(one, long) == long
        assert echo.lines == [long]
    wait_until(lambda: encrypted.open_links() == 0)


def test_an_encrypted_proxy_sees_what_it_cuts(encrypted: Proxy, echo: Echo) -> None:
    with encrypted_client(encrypted) as one, encrypted.cutting(1, like=b"two"):
        assert ask(one, b"one\n") == b"one\n"
        with pytest.raises(ConnectionResetError):
            ask(one, b"two\n")
    assert echo.lines == [b"one\n", b"two\n"]


def test_an_encrypted_proxy_ends_connections_by_what_the_client_said_first(encrypted: Proxy) -> None:
    with encrypted_client(encrypted) as one:
        ask(one, b"one\n")
        assert encrypted.reset_all(b"other") == 0
        assert encrypted.reset_all(b"one") == 1
        assert one.recv(1) == b"", "within TLS, Python tells a reset as an end"


def test_the_url_of_an_encrypted_proxy_says_whom_to_trust() -> None:
    with Proxy.to("redis://127.0.0.1:6379/3", encrypted=True) as proxy:
        assert proxy.url == f"rediss://127.0.0.1:{proxy.port}/3?ssl_ca_certs={tls.AUTHORITY}"
