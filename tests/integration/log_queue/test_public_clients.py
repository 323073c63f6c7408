"""Two clients, written as public ones of the exercise are: `requests`, and a loop."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests  # type: ignore[import-untyped]

from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def base(web: str, writer: Loop) -> str:
    """Where these clients believe their server to be."""
    return f"{web}/queue"


# --- one that sends JSON, with GET as well, and looks at `status` alone --------------------------


class MyProducer:
    """A class for each side, one request for each message, no session."""

    def __init__(self, topics: list[str], broker: str) -> None:
        self.broker = broker
        self.ids = {}
        for topic in topics:
            answer = requests.post(f"{broker}/producer/register", json={"topic": topic}).json()
            if answer["status"] != "success":
                raise RuntimeError(answer["message"])
            self.ids[topic] = answer["producer_id"]

    def send(self, topic: str, message: str) -> None:
        while True:
            answer = requests.post(
                f"{self.broker}/producer/produce",
                json={"topic": topic, "producer_id": self.ids[topic], "message": message},
            )
            if answer.json()["status"] == "success":
                return
            time.sleep(0.1)


class MyConsumer:
    """Iterates until the server says that there is nothing."""

    def __init__(self, topics: list[str], broker: str) -> None:
        self.broker = broker
        self.ids = {}
        for topic in topics:
            answer = requests.post(f"{broker}/consumer/register", json={"topic": topic}).json()
            self.ids[topic] = answer["consumer_id"]

    def get_next(self, topic: str) -> str | None:
        answer = requests.get(
            f"{self.broker}/consumer/consume", json={"topic": topic, "consumer_id": self.ids[topic]}
        )
        body = answer.json()
        if body["status"] == "success":
            message: str = body["message"]
            return message
        if "No new message" not in body["message"]:
            raise RuntimeError(body["message"])
        return None

    def size(self, topic: str) -> int:
        asked = {"topic": topic, "consumer_id": self.ids[topic]}
        size: int = requests.get(f"{self.broker}/size", json=asked).json()["size"]
        return size


def test_a_client_that_sends_json_with_get(base: str, topic: str) -> None:
    """As the exercise has it: five producers with their log files, three consumers, topics in common."""
    topics = [f"{topic}-{number}" for number in range(3)]
    with ThreadPoolExecutor(10) as threads:
        made = list(
            threads.map(lambda _: requests.post(f"{base}/topics", json={"topic": topics[0]}), range(10))
        )
    assert sorted(answer.status_code for answer in made) == [200] + [400] * 9

    files = {
        number: [(f"{count}\tINFO line {count % 3}\n", topics[count % 3]) for count in range(60)]
        for number in range(5)
    }

    def produce(number: int) -> None:
        producer = MyProducer(topics, base)
        for line, to in files[number]:
            producer.send(to, line)

    with ThreadPoolExecutor(5) as threads:
        list(threads.map(produce, files))
    for _ in range(3):
        consumer = MyConsumer(topics, base)
        for one in topics:
            wanted = Counter(line for lines in files.values() for line, to in lines if to == one)
            assert consumer.size(one) == wanted.total()
            found = Counter[str]()
            while (text := consumer.get_next(one)) is not None:
                found[text] += 1
            assert found == wanted


# --- one that puts everything into the query, keeps a session, and polls for ever ---------------


class QueryClient:
    """`params=` everywhere, a slash at the end, ids kept as text."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.session = requests.Session()

    def call(self, method: str, path: str, **params: str) -> Any:
        answer = self.session.request(
            method, f"{self.host}{path}/", params=params, timeout=20, allow_redirects=False
        )
        if answer.status_code not in {200, 400}:
            return None  # And its loops spin.
        return answer.json()


def test_a_client_that_sends_queries(base: str, topic: str) -> None:
    stop, found = threading.Event(), list[str]()
    lines = [f"{number} ERROR %s & + ż" for number in range(150)]
    maker = QueryClient(base)
    assert maker.call("POST", "/topics", topic_name=topic)["status"] == "success"
    assert topic in maker.call("GET", "/topics")["topics"]
    consumer_id = str(maker.call("POST", "/consumer/register", topic_name=topic)["consumer_id"])

    def poll() -> None:
        client = QueryClient(base)
        while (
            not stop.is_set()
            or client.call("GET", "/size", topic_name=topic, consumer_id=consumer_id)["size"]
        ):
            answer = client.call("GET", "/consumer/consume", topic_name=topic, consumer_id=consumer_id)
            if answer["status"] == "success":
                found.append(answer["message"])
        client.session.close()

    with ThreadPoolExecutor(2) as threads:
        polling = threads.submit(poll)
        producer_id = str(maker.call("POST", "/producer/register", topic_name=topic)["producer_id"])
        for line in lines:
            said = {"topic_name": topic, "producer_id": producer_id, "message": line}
            assert maker.call("POST", "/producer/produce", **said)["status"] == "success"
        stop.set()
        polling.result()
    assert found == lines
    maker.session.close()
