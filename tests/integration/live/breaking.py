"""What breaks pages that watch: processes that are killed, and sockets that nobody reads."""

import itertools
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import psutil
import pytest
from django.conf import settings as django_settings

from tests.integration.publishing.killed_web import Web
from tests.integration.pulling.conftest import Client


@contextmanager
def killable() -> Iterator[Web]:
    web = Web(django_settings.SERVERS.redis_url)
    try:
        yield web
    finally:
        web.stop()


class Publisher:
    """Publishes numbers, a few at a time, until it is told to end. `texts`: what it has published."""

    def __init__(self, client: Client, channel: str) -> None:
        self.texts: list[str] = []
        self._client, self._channel = client, channel
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Publisher":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._is_over.set()
        self._thread.join(30)

    def _run(self) -> None:
        numbers = itertools.count()
        while not self._is_over.wait(0.01):
            some = [str(next(numbers)) for _ in range(5)]
            self._client.publish(self._channel, *some)
            self.texts += some


@contextmanager
def deaf(url: str, said: str, answered: bytes) -> Iterator[socket.socket]:
    """A WebSocket that connects with this, and reads nothing after what it is answered."""
    address = urlsplit(url)
    raw = socket.socket()
    with raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect((address.hostname, address.port))
        raw.sendall(_UPGRADE % address.netloc.encode())
        _read_until(raw, b"pingInterval")
        raw.sendall(masked(said))
        _read_until(raw, answered)
        yield raw


def _read_until(raw: socket.socket, wanted: bytes) -> None:
    found = b""
    while wanted not in found:
        found += raw.recv(100) or pytest.fail("it hung up")


def masked(text: str) -> bytes:
    """A frame as a client sends it, with a mask of zeros."""
    data = text.encode()
    return b"\x81\xfe" + len(data).to_bytes(2, "big") + bytes(4) + data


_UPGRADE = (
    b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
    b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def listening_at(url: str) -> psutil.Process:
    """The process that answers there."""
    port = urlsplit(url).port
    for one in psutil.net_connections("tcp"):
        if one.status == psutil.CONN_LISTEN and one.laddr.port == port:
            return psutil.Process(one.pid)
    raise AssertionError(f"nobody listens at {url}")


def peers(process: psutil.Process) -> set[tuple[str, int]]:
    """Whoever is connected to it."""
    return {tuple(one.raddr) for one in process.net_connections("tcp") if one.raddr}
