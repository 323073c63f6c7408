"""A web process with the log queue, a writer, and clients without a token."""

import itertools
import json
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.loops import Loop

_names = itertools.count()

NOBODY_PRODUCED = "No new message is published to {}."


class Client:
    """A program. Each of its threads has a connection that is kept."""

    def __init__(self, url: str, key: str = "", seconds: float = 30) -> None:
        self._netloc = urlsplit(url).netloc
        self._key = key
        self._seconds = seconds
        self._own = threading.local()
        self._all: list[HTTPConnection] = []

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        prefix: str = "/queue",
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers in lower case, body."""
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = HTTPConnection(self._netloc, timeout=self._seconds)
            self._all.append(connection)
        more = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            connection.request(method, prefix + path, body, {**more, **(headers or {})})
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, found, answer.read()
        except OSError:
            connection.close()
            raise

    def close(self) -> None:
        """End its connections."""
        for connection in self._all:
            connection.close()

    def ask(self, method: str, path: str, given: Any = None) -> tuple[int, Any]:
        """Status and decoded answer; `given` goes along as JSON."""
        body = None if given is None else json.dumps(given).encode()
        status, headers, content = self.send(method, path, body, {"Content-Type": "application/json"})
        assert headers["content-type"] == "application/json", content
        answer = json.loads(content)
        assert (status, answer["status"]) in {(200, "success"), (400, "failure")}, content
        assert status == 200 or isinstance(answer["message"], str)
        return status, answer

    def well(self, method: str, path: str, given: Any = None) -> Any:
        """The answer, which is to be a success."""
        status, answer = self.ask(method, path, given)
        assert status == 200, answer
        return answer

    def refused(self, method: str, path: str, given: Any = None) -> str:
        """The message of what is to be a failure."""
        status, answer = self.ask(method, path, given)
        assert status == 400, answer
        message: str = answer["message"]
        return message

    # --- what the exercise has -----------------------------------------------------------

    def producer(self, topic: str) -> int:
        id = self.well("POST", "/producer/register", {"topic": topic})["producer_id"]
        assert type(id) is int
        return id

    def consumer(self, topic: str) -> int:
        id = self.well("POST", "/consumer/register", {"topic": topic})["consumer_id"]
        assert type(id) is int
        return id

    def produce(self, topic: str, producer: int, *messages: str) -> None:
        for message in messages:
            given = {"topic": topic, "producer_id": producer, "message": message}
            assert self.well("POST", "/producer/produce", given) == {"status": "success"}

    def consume(self, topic: str, consumer: int) -> str | None:
        """None: nothing was produced."""
        given = {"topic": topic, "consumer_id": consumer}
        status, answer = self.ask("GET", "/consumer/consume", given)
        if status == 400:
            assert answer["message"] == NOBODY_PRODUCED.format(topic)
            return None
        text: str = answer["message"]
        return text

    def drain(self, topic: str, consumer: int) -> list[str]:
        """Until nothing more was produced."""
        found = []
        while (text := self.consume(topic, consumer)) is not None:
            found.append(text)
        return found

    def size(self, topic: str, consumer: int) -> int:
        size = self.well("GET", f"/size?topic={topic}&consumer_id={consumer}")["size"]
        assert type(size) is int
        return size


@pytest.fixture(scope="module")
def web(serve: Callable[..., str]) -> str:
    """A web process whose log queue is open."""
    return serve(RELAY_LOG_QUEUE="open")


@pytest.fixture
def client(web: str, writer: Loop) -> Iterator[Client]:
    """A program without a token."""
    client = Client(web)
    yield client
    client.close()


@pytest.fixture
def topic() -> str:
    """A name that no topic had."""
    return f"T-{next(_names)}"
