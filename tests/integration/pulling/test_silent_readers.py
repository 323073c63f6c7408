"""Who does not read what he is answered is given less and less, is cut, and costs the others nothing."""

import contextlib
import json
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import urlsplit

import psutil
import pytest

from channels_app.models import Channel
from relaybase.http.bodies import PAUSE_SECONDS
from subscribers_app.models import Delivery, Subscription
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

ROOM_BYTES: Final = 32 << 20
MESSAGES, MESSAGE_BYTES = 16, 1_000_000
"""So much in each page; JSON has six times as much of it."""

SILENT: Final = 12
EVERYTHING: Final = {"max": 100, "max_bytes": 16 << 20}


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process with little room."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", RELAY_FETCH_MEMORY_BYTES=str(ROOM_BYTES))


@pytest.fixture
def filled(client: Client, channel: str) -> str:
    """The channel, with as much as may be fetched at once."""
    url = f"{client.url}/api/v1/channels/{channel}/messages?confirm=stored"
    headers = {"Authorization": f"Bearer {client.key}", "Content-Type": "text/plain"}
    for _ in range(MESSAGES):
        request = urllib.request.Request(url, b"\1" * MESSAGE_BYTES, headers, method="POST")
        with urllib.request.urlopen(request, timeout=40) as answer:
            assert answer.status == 201
    return channel


@pytest.fixture
def silent() -> Iterator[list[socket.socket]]:
    """Connections of those who ask, and do not read."""
    found: list[socket.socket] = []
    yield found
    for one in found:
        one.close()


def process_of(url: str) -> psutil.Process:
    port = str(urlsplit(url).port)
    (found,) = (child for child in psutil.Process().children(recursive=True) if port in child.cmdline())
    return found


def ask(client: Client, reader: str, query: str = "", **wanted: float) -> socket.socket:
    """For everything, unless it is wanted otherwise."""
    body, url = json.dumps({**EVERYTHING, **wanted}).encode(), urlsplit(client.url)
    asking = socket.socket()
    asking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
    asking.connect((url.hostname, url.port))
    asking.sendall(
        f"POST /api/v1/subscriptions/{reader}/fetch{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {client.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    return asking


def read(one: socket.socket) -> tuple[int, int, int]:
    """The status, how many bytes of the body were announced, and how many came before the end."""
    one.settimeout(5)
    with one.makefile("rb") as answer:
        status, announced, came = int(answer.readline().split()[1]), 0, 0
        while line := answer.readline().strip():
            name, _, value = line.partition(b":")
            announced = int(value) if name.lower() == b"content-length" else announced
        with contextlib.suppress(ConnectionResetError):
            while came < announced and (piece := answer.read(min(1 << 20, announced - came))):
                came += len(piece)
    return status, announced, came


@pytest.mark.parametrize(
    ("mode", "query"),
    [("cursor", ""), ("lease", ""), ("cursor", "?format=json")],
    ids=["cursor", "lease", "Django"],
)
def test_who_does_not_read_is_cut_and_costs_the_others_nothing(
    client: Client,
    subscribe: Subscribe,
    filled: str,
    silent: list[socket.socket],
    mode: str,
    query: str,
) -> None:
    process = process_of(client.url)
    readers, neighbour = [subscribe(mode) for _ in range(SILENT)], subscribe("cursor")
    # What is read ahead is there before.
    for reader in [neighbour, *(readers if mode == "cursor" else ())]:
        client.post(f"subscriptions/{reader}/fetch{query}", EVERYTHING)
    begun = {one.name: one.position for one in Subscription.objects.all()}
    Channel.objects.create(channel=f"{filled}-small", deduplicate="every", listen=False)
    small = Subscription.objects.create(
        name=f"{neighbour}-small", channel=Channel.objects.get(channel=f"{filled}-small"), mode="cursor"
    ).name
    client.publish(f"{filled}-small", "a")
    assert client.texts(small) == ["a"]
    before = most = process.memory_info().rss

    silent += [ask(client, reader, query) for reader in readers]
    with ThreadPoolExecutor(1) as pool:
        time.sleep(1)
        waits = pool.submit(client.fetch, neighbour, max=1, wait_seconds=20)
        until = time.monotonic() + PAUSE_SECONDS - 2
        while time.monotonic() < until:
            assert client.texts(small) == ["a"]
            most = max(most, process.memory_info().rss)
            time.sleep(0.02)
        assert most - before < 3 * ROOM_BYTES
        # With a large message he waits until there is room again, and that is not an error.
        assert len(waits.result()["messages"]) == 1
    until = time.monotonic() + 2 * PAUSE_SECONDS
    ports = {one.getsockname()[1] for one in silent}
    while ports & {one.raddr.port for one in process.net_connections() if one.raddr}:
        assert time.monotonic() < until, "the server keeps them"
        time.sleep(0.1)

    given = 0
    for one, reader in zip(silent, readers, strict=True):
        status, announced, came = read(one)
        rows = Delivery.objects.filter(subscription__name=reader).count()
        if status == 200:
            assert came < announced
            given += 1
            assert rows == (announced // (6 * MESSAGE_BYTES) if mode == "lease" else 0)
        else:
            assert (status, rows) == (503, 0)
        if status == 503 or mode == "cursor":
            assert Subscription.objects.get(name=reader).position == begun[reader]
    assert 0 < given < SILENT
    # All of the room is there again.
    assert len(client.fetch(neighbour, **EVERYTHING)["messages"]) == ROOM_BYTES // 2 // (6 * MESSAGE_BYTES)
