"""How many messages a program has produced is exact, whatever PostgreSQL does, and no fault of produce."""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from compat_app.log_queue.counting import Sums
from compat_app.models import QueueClient
from tests.integration.conftest import _web, environment_of_a_web_process
from tests.integration.log_queue.conftest import Client
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

STILL_SECONDS = 8.0
"""Who connects to PostgreSQL gives up after 5 s."""


@pytest.fixture
def way(messages_database: str) -> Iterator[Proxy]:
    """To PostgreSQL one that may stand still."""
    with Proxy.to(environment_of_a_web_process()["DATABASE_URL"]) as way:
        yield way


@pytest.fixture
def beyond(way: Proxy, serve: Callable[..., str]) -> Iterator[Client]:
    """A program of a web process that reaches PostgreSQL that way only."""
    client = Client(serve(RELAY_LOG_QUEUE="open", DATABASE_URL=way.url))
    yield client
    client.close()


def _produce(client: Client, topic: str, producer: int, text: str) -> tuple[list[int], float]:
    """The statuses until it is taken, and the seconds that the longest answer took."""
    given = {"topic": topic, "producer_id": producer, "message": text, "prod_client": topic}
    statuses, longest = [], 0.0
    while 200 not in statuses:
        began = time.monotonic()
        statuses.append(client.ask("POST", "/producer/produce", given)[0])
        longest = max(longest, time.monotonic() - began)
    return statuses, longest


def _size(client: Client, topic: str) -> Any:
    return client.ask("GET", f"/producer/client_size?prod_client={topic}")


def test_what_is_appended_is_answered_while_postgresql_stands_still(
    client: Client, beyond: Client, way: Proxy, topic: str, wait_until: Callable[..., None]
) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    assert _produce(beyond, topic, producer, "first")[0] == [200]
    assert _size(client, topic) == (200, {"status": "success", "count": 1})
    with way.hole(), ThreadPoolExecutor(8) as threads:
        until = time.monotonic() + STILL_SECONDS
        texts = [f"{number}" for number in range(8)]
        produced = list(threads.map(lambda text: _produce(beyond, topic, producer, text), texts))
        # What is not known is not said to be 1.
        assert _size(beyond, topic)[0] == 400
        time.sleep(max(0.0, until - time.monotonic()))
    assert [statuses for statuses, _ in produced] == [[200]] * 8
    assert max(longest for _, longest in produced) < STILL_SECONDS / 2
    client.close()  # The server has ended these connections, on which nothing was asked for so long.
    beyond.close()
    assert Counter(client.drain(topic, consumer)) == Counter(["first", *texts])
    wait_until(lambda: _size(client, topic)[1]["count"] == 9, 20, "everything is counted")
    assert _size(beyond, topic)[1]["count"] == 9
    assert _produce(beyond, topic, producer, "last")[0] == [200]
    assert _size(client, topic)[1]["count"] == 10


def test_a_count_whose_commit_has_no_answer_is_brought_once(
    client: Client, beyond: Client, way: Proxy, topic: str
) -> None:
    producer = client.producer(topic)
    assert _produce(beyond, topic, producer, "1")[0] == [200]
    with way.cutting(3, like=b"COMMIT"):
        for text in "234":
            assert _produce(beyond, topic, producer, text)[0] == [200]
            assert _size(beyond, topic) == (200, {"status": "success", "count": int(text)})
    assert _size(client, topic)[1]["count"] == 4


def test_a_process_that_is_told_to_stop_brings_what_it_has_counted(
    client: Client, way: Proxy, topic: str
) -> None:
    process, url = _web("application", {"RELAY_LOG_QUEUE": "open", "DATABASE_URL": way.url})
    program = Client(url)
    try:
        producer = client.producer(topic)
        assert _produce(program, topic, producer, "1")[0] == [200]
        with way.hole():
            assert _produce(program, topic, producer, "2")[0] == [200]
            program.close()
            process.terminate()
            time.sleep(0.5)
            assert process.poll() is None
        process.wait(10)
        assert _size(client, topic)[1]["count"] == 2
    finally:
        program.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        process.wait(10)


def test_sums_of_several_programs_are_added_and_known_by_their_transaction(topic: str) -> None:
    def found() -> dict[str, int]:
        return dict(QueueClient.objects.values_list("name", "messages"))

    sums = Sums({"b": 2, "a": 1})
    sums.bring()
    sums.bring()
    assert found() == {"a": 1, "b": 2}
    Sums({"b": 3, "c": 1}).bring()
    assert found() == {"a": 1, "b": 5, "c": 1}
    # One that PostgreSQL has rolled back, and one that it has never heard of: it was restored.
    with connection.cursor() as sql:
        sql.execute("BEGIN")
        sql.execute("SELECT txid_current()")
        (rolled_back,) = sql.fetchone()
        sql.execute("ROLLBACK")
    for number, messages in ((rolled_back, 2), (rolled_back + 1_000_000, 3)):
        lost = Sums({"a": 1})
        lost._transaction = number
        lost.bring()
        assert found()["a"] == messages
