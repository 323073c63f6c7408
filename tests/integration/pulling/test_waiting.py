"""Whoever waits costs little, is given what comes, and nothing once he has gone away."""

import asyncio
import json
import re
import resource
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
from django.db import connection, transaction

from channels_app.models import Channel
from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

WAITERS = 1000


def request(client: Client, reader: str, **wanted: Any) -> bytes:
    body = json.dumps(wanted).encode()
    return (
        f"POST /api/v1/subscriptions/{reader}/fetch HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {client.key}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def begin_to_wait(client: Client, reader: str, **wanted: Any) -> socket.socket:
    url = urlsplit(client.url)
    waiting = socket.create_connection((url.hostname, url.port), timeout=30)
    waiting.sendall(request(client, reader, **wanted))
    return waiting


@pytest.mark.parametrize("mode", ["cursor", "lease"])
@pytest.mark.parametrize("before", [0, 2])
def test_whoever_has_gone_away_is_given_nothing(
    client: Client, channel: str, subscribe: Subscribe, mode: str, before: int
) -> None:
    """`before`: so many wait before him, and go away after him."""
    reader = subscribe(mode)
    client.fetch(reader, wait_seconds=1)
    waiting = [begin_to_wait(client, reader, wait_seconds=20, max=1) for _ in range(before + 1)]
    time.sleep(0.5)
    for one in reversed(waiting):
        one.close()
        time.sleep(0.1)
    client.publish(channel, "a")
    began = time.monotonic()
    fetched = client.fetch(reader, wait_seconds=10)
    assert time.monotonic() - began < 1
    assert [one["message"] for one in fetched["messages"]] == ["a"]
    if mode == "lease":
        assert fetched["messages"][0]["delivery"]["attempt"] == 1


def test_what_another_process_has_settled_makes_room(
    client: Client, channel: str, subscribe: Subscribe, serve: Callable[..., str]
) -> None:
    other = Client(serve(RELAY_WEB_REQUESTS_PER_MINUTE="0"), client.key)
    for fields in ({"max_outstanding": 1}, {"order": "channel"}):
        reader = subscribe("lease", ack_deadline_seconds=600, **fields)
        client.publish(channel, "a", "b")
        first = client.fetch(reader, max=1)["messages"]
        waiting = begin_to_wait(client, reader, wait_seconds=20, max=1)
        time.sleep(1.5)
        assert other.settle("ack", reader, [first[0]["delivery"]["token"]]) == [True]
        began = time.monotonic()
        answer = b""
        while b'"state"' not in answer:
            answer += waiting.recv(1 << 16)
        waiting.close()
        assert time.monotonic() - began < 3
        assert re.search(rb'"message": ?"b"', answer)


def test_a_subscription_that_somebody_has_locked_holds_up_no_other_one(
    client: Client, channel: str, subscribe: Subscribe
) -> None:
    locked, other = subscribe("cursor"), subscribe("cursor")
    client.publish(channel, "a")
    assert client.texts(locked) == client.texts(other) == ["a"]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            Subscription.objects.select_for_update().get(name=locked)
            waiting = pool.submit(client.texts, locked)
            for _ in range(5):
                began = time.monotonic()
                assert client.texts(other) == ["a"]
                assert time.monotonic() - began < 1.5
            assert not waiting.done()
        assert waiting.result() == ["a"]


@pytest.fixture
def many_files() -> Iterator[None]:
    """Each of those who wait is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192) if hard > 0 else 8192, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def process_of(url: str) -> psutil.Process:
    return next(
        one for one in psutil.Process().children(recursive=True) if url.rpartition(":")[2] in one.cmdline()
    )


def sessions() -> int:
    """Of PostgreSQL."""
    with connection.cursor() as sql:
        sql.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(sql.fetchone()[0])


async def wait_for_all(
    client: Client, readers: list[str], measure: Callable[[], None], publish: Callable[[], None]
) -> tuple[list[bytes], float]:
    """What all are answered, and how long that took after something was published."""
    url = urlsplit(client.url)
    pairs = []
    for at in range(0, len(readers), 50):
        pairs += await asyncio.gather(
            *[asyncio.open_connection(url.hostname, url.port) for _ in readers[at : at + 50]]
        )
        for (_, writer), reader in zip(pairs[at:], readers[at : at + 50], strict=True):
            writer.write(request(client, reader, wait_seconds=20, max=1))
        await asyncio.sleep(0.05)
    await asyncio.to_thread(measure)
    began = time.monotonic()
    publishing = asyncio.create_task(asyncio.to_thread(publish))
    answers = await asyncio.gather(*[reader.readuntil(b"\r\n\r\n") for reader, _ in pairs])
    rest = [await reader.read(int(_length(head))) for head, (reader, _) in zip(answers, pairs, strict=True)]
    took = time.monotonic() - began
    await publishing
    for _, writer in pairs:
        writer.close()
    return rest, took


def _length(head: bytes) -> bytes:
    return next(
        line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    )


@pytest.mark.parametrize("shared", [False, True])
def test_a_thousand_wait(
    client: Client, channel: str, many_files: None, capsys: Any, serve: Callable[..., str], shared: bool
) -> None:
    client = Client(serve(RELAY_WEB_REQUESTS_PER_MINUTE="0"), client.key)
    row = Channel.objects.get(channel=channel)
    count = 1 if shared else WAITERS
    Subscription.objects.bulk_create(
        Subscription(name=f"{channel}-{index}", channel=row, mode="cursor") for index in range(count)
    )
    readers = [f"{channel}-{index % count}" for index in range(WAITERS)]
    client.fetch(readers[0])  # What the first one costs is not what many cost.
    web = process_of(client.url)
    memory, threads, before = web.memory_info().rss, web.num_threads(), sessions()
    found: dict[str, float] = {}

    def measure() -> None:
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline and web.cpu_percent(0.5) > 20:
            pass
        cpu, began = sum(web.cpu_times()[:2]), time.monotonic()
        time.sleep(3)
        found["cpu"] = (sum(web.cpu_times()[:2]) - cpu) / (time.monotonic() - began)
        found["MiB"] = (web.memory_info().rss - memory) / (1 << 20)
        found["threads"] = web.num_threads() - threads
        found["sessions"] = sessions() - before
        connection.close()

    answers, found["answered after"] = asyncio.run(
        wait_for_all(client, readers, measure, lambda: client.publish(channel, "a") and None)
    )
    with capsys.disabled():
        print(f"\n{WAITERS} wait, shared: {shared}: {found}")
    assert all(json.loads(answer)["messages"][0]["message"] == "a" for answer in answers)
    assert found["MiB"] <= 60
    assert found["cpu"] <= 0.03
    assert found["threads"] <= 40
    assert found["sessions"] <= 5
