"""Many at once, and processes that come and go."""

import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from typing import Any

import pytest

from channels_app.models import Channel
from messages_app.writing.writer import write
from relaycore.position import START
from subscribers_app.models import Subscription, Undelivered
from tests.ending import end
from tests.integration.conftest import _web
from tests.integration.log_queue.conftest import Client
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)


def test_ten_threads_make_one_topic(client: Client, topic: str) -> None:
    """As some clients do; one wins."""
    with ThreadPoolExecutor(10) as threads:
        for number in range(5):
            said = {"topic": f"{topic}-{number}"}
            answers = list(threads.map(lambda _, said=said: client.ask("POST", "/topics", said), range(10)))
            assert sorted(status for status, _ in answers) == [200] + [400] * 9
    assert Channel.objects.count() == 5


def test_ten_threads_register_producers_of_a_topic_that_is_not_there(client: Client, topic: str) -> None:
    with ThreadPoolExecutor(10) as threads:
        ids = list(threads.map(lambda _: client.producer(topic), range(10)))
    assert len(set(ids)) == 10
    assert Channel.objects.get().channel == f"queue/{topic}"


def test_a_hundred_and_twenty_topics_within_seconds(client: Client, topic: str) -> None:
    began = time.monotonic()
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(lambda number: client.producer(f"{topic}-{number}"), range(120)))
    assert time.monotonic() - began < 30
    assert len(client.well("GET", "/topics")["topics"]) == 120


def test_one_consumer_id_from_sixteen_connections(client: Client, topic: str) -> None:
    """Each message exactly once, and nobody fails while there are any."""
    producer, consumer = client.producer(topic), client.consumer(topic)
    texts = [f"{number}" for number in range(480)]
    client.produce(topic, producer, *texts)
    with ThreadPoolExecutor(16) as threads:
        drained = list(threads.map(lambda _: [client.consume(topic, consumer) for _ in range(30)], range(16)))
    assert Counter(text for some in drained for text in some) == Counter(texts)
    for some in drained:
        assert [int(text or -1) for text in some] == sorted(int(text or -1) for text in some)
    assert client.consume(topic, consumer) is None


def test_one_consumer_id_in_two_processes(client: Client, serve: Callable[..., str], topic: str) -> None:
    other = Client(serve(RELAY_LOG_QUEUE="open"))
    producer, consumer = client.producer(topic), client.consumer(topic)
    texts = [f"{number}" for number in range(300)]
    client.produce(topic, producer, *texts)
    with ThreadPoolExecutor(8) as threads:
        asked = [client, other] * 4
        drained = list(threads.map(lambda one: one.drain(topic, consumer), asked))
    assert Counter(text for some in drained for text in some) == Counter(texts)
    # Who has read everything sees that somebody else has sought.
    other.well("POST", "/consumer/set_offset", {"consumer_id": consumer, "offset": -1})
    assert client.consume(topic, consumer) == "0"
    other.close()


def test_producers_keep_their_order_in_one_order_for_all(client: Client, topic: str) -> None:
    consumers = [(client.producer(topic), client.consumer(topic))[1] for _ in range(3)]
    producers = [client.producer(topic) for _ in range(8)]

    def produce(number: int) -> None:
        client.produce(topic, producers[number], *(f"{number} {count}" for count in range(40)))

    with ThreadPoolExecutor(8 + 3) as threads:
        produced = [threads.submit(produce, number) for number in range(8)]
        consumed = [threads.submit(_take, client, topic, consumer, 320) for consumer in consumers]
        for one in produced:
            one.result()
        orders = [one.result() for one in consumed]
    assert orders[0] == orders[1] == orders[2]
    for number in range(8):
        own = [text for text in orders[0] if text.startswith(f"{number} ")]
        assert own == [f"{number} {count}" for count in range(40)]


def test_equal_texts_are_all_kept(client: Client, topic: str) -> None:
    producers, consumer = [client.producer(topic) for _ in range(4)], client.consumer(topic)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda one: client.produce(topic, one, *["INFO same"] * 50), producers))
    assert client.size(topic, consumer) == 200
    assert client.drain(topic, consumer) == ["INFO same"] * 200


def test_without_a_writer_nobody_claims_that_there_is_nothing(
    web: str, relay_keys: Any, archive: Any, topic: str
) -> None:
    client = Client(web)
    producer, consumer = client.producer(topic), client.consumer(topic)
    client.produce(topic, producer, "1", "2")
    said = {"topic": topic, "consumer_id": consumer}
    for message in (client.refused("GET", "/consumer/consume", said), client.refused("GET", "/size", said)):
        assert "stored" in message
        assert "No new message" not in message
    writer = Loop(lambda stopping: write(0, stopping))
    try:
        assert client.size(topic, consumer) == 2
        assert client.drain(topic, consumer) == ["1", "2"]
    finally:
        writer.stop()
        client.close()


def test_who_goes_away_while_it_waits_consumes_nothing(
    web: str, relay_keys: Any, archive: Any, topic: str
) -> None:
    client, impatient = Client(web), Client(web, seconds=0.7)
    producer, consumer = client.producer(topic), client.consumer(topic)
    client.produce(topic, producer, "1", "2")
    with pytest.raises(TimeoutError):
        impatient.consume(topic, consumer)
    writer = Loop(lambda stopping: write(0, stopping))
    try:
        assert client.drain(topic, consumer) == ["1", "2"]
    finally:
        writer.stop()
        client.close()
        impatient.close()


def test_what_an_operator_does_to_the_subscription_counts(client: Client, topic: str) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    client.produce(topic, producer, "1", "2", "3")
    assert client.consume(topic, consumer) == "1"
    row = Subscription.objects.get(name=f"queue.consumer.{consumer}")
    assert (row.kind, row.mode, row.channel.channel) == ("pull", "cursor", f"queue/{topic}")
    assert row.position == row.fetched > ""
    assert row.last_fetch_at is not None

    paused = Subscription.objects.filter(pk=row.pk)
    paused.update(state=Subscription.State.PAUSED)
    said = {"topic": topic, "consumer_id": consumer}
    assert "paused" in client.refused("GET", "/consumer/consume", said)
    assert client.size(topic, consumer) == 2
    paused.update(state=Subscription.State.ACTIVE)
    # Sought: another generation, so that what was read ahead counts no more.
    paused.update(position=START, fetched=START, generation=2)
    assert client.drain(topic, consumer) == ["1", "2", "3"]
    paused.delete()
    assert "consumer" in client.refused("GET", "/consumer/consume", said)
    assert "consumer" in client.refused("GET", "/size", said)


def test_what_retention_has_deleted_is_on_record(client: Client, topic: str, archive: Any) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    client.produce(topic, producer, *"abcdef")
    assert client.consume(topic, consumer) == "a"
    channel = f"queue/{topic}"
    stored = list(archive.find({"channel": channel}).sort("position"))
    gone = [one["position"] for one in stored[:4]]
    archive.database["expired"].insert_one({"_id": channel, "upto": gone[-1], "messages": 4, "going": 0})
    archive.delete_many({"channel": channel, "position": {"$lte": gone[-1]}})
    # A consumer that has read ahead gives what it has; a new one begins with what is there.
    assert client.size(topic, consumer) == 2
    late = client.consumer(topic)
    assert client.drain(topic, late) == ["e", "f"]
    undelivered = Undelivered.objects
    assert not undelivered.filter(subscription__name=f"queue.consumer.{late}").exists()
    said = {"consumer_id": consumer, "offset": int(stored[0]["position"].replace("-", ""))}
    client.well("POST", "/consumer/set_offset", said)
    assert client.drain(topic, consumer) == ["e", "f"]
    (skipped,) = undelivered.filter(subscription__name=f"queue.consumer.{consumer}")
    assert (skipped.cause, skipped.after, skipped.upto) == ("retention", gone[0], gone[-1])


def test_all_that_retention_has_deleted_is_on_record_though_nothing_comes(
    client: Client, topic: str, archive: Any
) -> None:
    producer, consumer = client.producer(topic), client.consumer(topic)
    client.produce(topic, producer, *"abc")
    assert client.size(topic, consumer) == 3
    channel = f"queue/{topic}"
    last = max(one["position"] for one in archive.find({"channel": channel}))
    archive.database["expired"].insert_one({"_id": channel, "upto": last, "messages": 3, "going": 0})
    archive.delete_many({"channel": channel})
    assert client.drain(topic, consumer) == []
    (skipped,) = Undelivered.objects.filter(subscription__name=f"queue.consumer.{consumer}")
    assert (skipped.cause, skipped.after, skipped.upto) == ("retention", START, last)


def test_web_is_killed_in_the_middle(client: Client, topic: str, wait_until: Callable[..., None]) -> None:
    """Each thread of a client may lose, or double, one message for each kill: it asks again."""
    texts = [f"{number}" for number in range(250)]
    client.well("POST", "/topics", {"topic": topic})
    producers, consumers = 3, [client.consumer(topic) for _ in range(3)]
    web = Restarted()
    with ThreadPoolExecutor(6) as threads:
        produced = [threads.submit(_produce, web, topic, name, texts) for name in "ABC"]
        consumed = [threads.submit(_consume, web, topic, consumer) for consumer in consumers]
        for number in (1, 2):
            wait_until(lambda number=number: web.answered > number * 300, 60)
            web.kill()
        assert not all(done.done() for done in produced)
        for done in produced:
            done.result()
        web.is_all_produced.set()
        found = [Counter(one.result()) for one in consumed]
    client.close()  # The server has ended that connection, on which nothing was asked for so long.
    left = [client.size(topic, consumer) for consumer in consumers]
    web.close()
    stored = Counter[str]()
    late = client.consumer(topic)
    stored.update(client.drain(topic, late))
    assert stored.keys() == {f"{name} {text}" for name in "ABC" for text in texts}
    assert stored.total() <= 3 * len(texts) + 2 * producers
    assert left == [0, 0, 0]
    for one in found:
        # Nothing twice that was not produced twice, and at most one lost with each kill.
        assert one <= stored
        assert stored.total() - one.total() <= 2


class Restarted:
    """A web process that is killed, and another one in its place."""

    def __init__(self) -> None:
        self._process, self.url = _web("application", {"RELAY_LOG_QUEUE": "open"})
        self.is_all_produced = threading.Event()
        self.answered = 0
        """About: several threads count."""

    def kill(self) -> None:
        """Without a warning."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._process, self.url = _web("application", {"RELAY_LOG_QUEUE": "open"})

    def close(self) -> None:
        end(self._process)

    def ask(self, method: str, path: str, said: Any) -> tuple[int, Any]:
        """Until there is an answer to one that was sent; each on a connection of its own."""
        while True:
            client = Client(self.url)
            try:
                answer = client.ask(method, path, said)
                self.answered += 1
                return answer
            except (OSError, HTTPException):
                time.sleep(0.05)
            finally:
                client.close()


def _produce(web: Restarted, topic: str, name: str, texts: list[str]) -> None:
    _, answer = web.ask("POST", "/producer/register", {"topic": topic})
    for text in texts:
        said = {"topic": topic, "producer_id": answer["producer_id"], "message": f"{name} {text}"}
        while web.ask("POST", "/producer/produce", said)[0] != 200:
            time.sleep(0.05)


def _consume(web: Restarted, topic: str, consumer: int) -> list[str]:
    found: list[str] = []
    while True:
        is_last = web.is_all_produced.is_set()
        status, answer = web.ask("GET", "/consumer/consume", {"topic": topic, "consumer_id": consumer})
        if status == 200:
            found.append(answer["message"])
        elif is_last and answer["message"].startswith("No new message"):
            return found


def _take(client: Client, topic: str, consumer: int, messages: int) -> list[str]:
    """As a client does: again and again."""
    found: list[str] = []
    while len(found) < messages:
        text = client.consume(topic, consumer)
        if text is not None:
            found.append(text)
    return found
