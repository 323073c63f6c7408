"""Redis, MongoDB or PostgreSQL is away while programs consume: 503, no hole, and it goes on afterwards."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings

from tests.integration.conftest import environment_of_a_web_process
from tests.integration.publishing.killed_web import Web
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Caller, Publishing, Record, Threads, Work
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]
Ways = dict[str, Proxy]

AWAY_SECONDS = float(os.environ.get("PULL_AWAY_SECONDS", "5"))
"""60 for the long form."""


@pytest.fixture(scope="module")
def ways(messages_database: str) -> Iterator[Ways]:
    """To each server one that may be cut."""
    addresses = {
        "REDIS_URL": django_settings.SERVERS.redis_url,
        "MONGO_URL": django_settings.SERVERS.mongo_url,
        "DATABASE_URL": environment_of_a_web_process()["DATABASE_URL"],
    }
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(Proxy.to(url)) for name, url in addresses.items()}


@pytest.fixture(scope="module")
def cut_off(serve: Callable[..., str], ways: Ways) -> str:
    """A web process that reaches its servers by these ways only."""
    return serve(RELAY_WEB_REQUESTS_PER_MINUTE="0", **{name: proxy.url for name, proxy in ways.items()})


@contextlib.contextmanager
def refusing(proxy: Proxy) -> Iterator[None]:
    with proxy.refusing():
        assert proxy.reset_all()
        yield


@contextlib.contextmanager
def silent(proxy: Proxy) -> Iterator[None]:
    with proxy.hole():
        yield


SERVERS = ("REDIS_URL", "MONGO_URL", "DATABASE_URL")
FAULTS = [(server, refusing) for server in SERVERS] + [
    (server, silent) for server in (SERVERS if AWAY_SECONDS >= 20 else SERVERS[:1])
]


@pytest.mark.parametrize(("server", "kind"), FAULTS)
def test_a_server_is_away(
    cut_off: str,
    ways: Ways,
    client: Client,
    channel: str,
    subscribe: Subscribe,
    wait_until: Any,
    server: str,
    kind: Callable[[Proxy], contextlib.AbstractContextManager[None]],
) -> None:
    readers = {
        "cursor": subscribe("cursor"),
        "lease": subscribe("lease", ack_deadline_seconds=1, max_deliveries=3),
    }
    records = {mode: Record() for mode in readers}
    publishing = Publishing(client, channel, pause=0.05)
    works = [
        Work(Caller(cut_off, client.key), readers[mode], mode, records[mode], wait_seconds=wait).run
        for mode in readers
        for wait in (0.0, 2.0)
    ]
    with Threads(works):
        with Threads([publishing.run]):
            wait_until(lambda: all(record.receipts for record in records.values()), seconds=20)
            with kind(ways[server]):
                # A short silence is waited for, and shows no more if it is longer.
                time.sleep(3 if kind is silent and AWAY_SECONDS < 20 else AWAY_SECONDS)
            back = time.time()
            time.sleep(0.5)
        for record in records.values():
            wait_until(
                lambda record=record: set(publishing.texts) <= record.texts(),
                seconds=30,
                what="all is received",
            )

    for mode, record in records.items():
        refused = [answer for answer in record.answers if answer.status != 200]
        # Two share the cursor: a commit that comes behind the other one's is told so.
        statuses = {503} if mode == "lease" else {409, 503}
        assert {answer.status for answer in refused} <= statuses, mode
        refused = [answer for answer in refused if answer.status != 409]
        # What is silent for a few seconds only is waited for.
        assert refused or (kind is silent and AWAY_SECONDS < 20)
        assert all(answer.retry_after for answer in refused)
        assert all(answer.answered - answer.asked < 16 for answer in record.answers)
        # It has recovered soon.
        assert all(answer.asked < back + 12 for answer in refused)
        assert not record.came_again()
        assert not record.went_back()
        assert not record.doubled()


def test_a_web_that_takes_silence_for_emptiness_is_found_out(
    ways: Ways, client: Client, channel: str, subscribe: Subscribe, messages_database: str, wait_until: Any
) -> None:
    reader, record = subscribe("cursor"), Record()
    publishing = Publishing(client, channel, pause=0.05)
    urls = {name: proxy.url for name, proxy in ways.items()}
    web = Web(urls.pop("REDIS_URL"), ("tests.integration.pulling.careless_web", "blind"), **urls)
    try:
        with Threads([Work(Caller(web.url, client.key), reader, "cursor", record, most=1000).run]):
            with Threads([publishing.run]):
                wait_until(lambda: record.committed, seconds=20)
                with refusing(ways["MONGO_URL"]):
                    time.sleep(3)
                time.sleep(1)
            client.publish(channel, "last")
            wait_until(lambda: "last" in record.texts(), seconds=30)
    finally:
        web.stop()
    assert set(publishing.texts) - record.texts()


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_an_answer_to_commit_that_is_lost(
    cut_off: str,
    ways: Ways,
    client: Client,
    channel: str,
    subscribe: Subscribe,
    wait_until: Any,
    mode: str,
) -> None:
    reader = subscribe(mode, **({"ack_deadline_seconds": 1} if mode == "lease" else {}))
    record, publishing = Record(), Publishing(client, channel)
    works = [Work(Caller(cut_off, client.key), reader, mode, record).run for _ in range(4)]
    with Threads(works):
        with Threads([publishing.run]):
            with ways["DATABASE_URL"].cutting(10, rb"COMMIT\x00", every=3) as cut:
                wait_until(lambda: cut.done == 10, seconds=20)
        wait_until(lambda: set(publishing.texts) <= record.texts(), seconds=30, what="all is received")

    # Some of them were for nobody: the look after those who wait, once a second.
    assert [answer.status for answer in record.answers].count(503) >= 5
    assert record.statuses() <= {200, 409, 503}
    assert not record.came_again()
    assert not record.went_back()
    assert not record.doubled()


def test_what_is_due_again_spends_no_attempt_while_it_cannot_be_read(
    cut_off: str, ways: Ways, client: Client, channel: str, subscribe: Subscribe, wait_until: Any
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1, max_deliveries=2)
    caller = Caller(cut_off, client.key)
    client.publish(channel, "a")
    first = caller.post(f"{reader}/fetch", {"wait_seconds": 5})
    assert [one["message"] for one in first.data["messages"]] == ["a"]
    time.sleep(2.2)
    with refusing(ways["REDIS_URL"]):
        statuses = set()
        for _ in range(5):
            answer = caller.post(f"{reader}/fetch", {})
            assert answer.status == 503 or not answer.data["messages"]
            statuses.add(answer.status)
            time.sleep(0.3)
    assert 503 in statuses, "nothing was due, or it could be read"
    time.sleep(1.2)

    found: list[Any] = []

    def has_come() -> bool:
        answer = caller.post(f"{reader}/fetch", {"wait_seconds": 1})
        found.extend(answer.data["messages"] if answer.status == 200 else ())
        return bool(found)

    wait_until(has_come, seconds=15)
    caller.close()
    assert [one["delivery"]["attempt"] for one in found] == [2]
