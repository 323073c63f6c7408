"""Programs in threads that publish and consume over faults: what they were told and when, what is wrong."""

import contextlib
import http.client
import itertools
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self
from urllib.parse import urlsplit

from tests.integration.pulling.conftest import Client

BROKEN = (OSError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, Retry-After and the decoded body; when it was asked and answered, in seconds."""

    status: int
    retry_after: str | None
    data: Any
    asked: float
    answered: float


class Caller:
    """One connection of one program, made again when it has broken."""

    def __init__(self, url: str, key: str) -> None:
        self._host = urlsplit(url).netloc
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection: http.client.HTTPConnection | None = None
        self.answers = 0

    def post(self, path: str, data: Any) -> Answer:
        """Raises what is in `BROKEN`: nobody answers, and what holds is not known."""
        asked = time.time()
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(self._host, timeout=40)
            self._connection.request("POST", f"/api/v1/subscriptions/{path}", json.dumps(data), self._headers)
            answer = self._connection.getresponse()
            content = answer.read()
        except BROKEN:
            self.close()
            raise
        self.answers += 1
        retry_after = answer.headers["retry-after"]
        return Answer(answer.status, retry_after, json.loads(content), asked, time.time())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """A message that somebody was given. `deadline`: of its lease, in seconds; 0: there is none."""

    text: str
    position: str
    asked: float
    received: float
    generation: int
    deadline: float = 0.0
    attempt: int = 0


@dataclass(slots=True)
class Record:
    """What all of them were told."""

    receipts: list[Receipt] = field(default_factory=list)
    done: dict[str, float] = field(default_factory=dict)
    """Mode `lease`: by text, when an ack was answered as in time."""
    committed: list[tuple[float, str]] = field(default_factory=list)
    """Mode `cursor`: when a commit was answered, and where the cursor stood."""
    answers: list[Answer] = field(default_factory=list)
    acks: list[tuple[float, int, bool]] = field(default_factory=list)
    """Mode `lease`: when one was asked, of which generation, whether it was in time."""

    def texts(self) -> set[str]:
        return {receipt.text for receipt in self.receipts}

    def came_again(self) -> list[Receipt]:
        """What was done, by an answer, and was given to somebody who asked after that."""
        return [one for one in self.receipts if one.asked > self.done.get(one.text, one.asked)]

    def went_back(self) -> list[Receipt]:
        """What was committed, by an answer, and was given to somebody who asked after that."""
        moments, highest = [], ""
        for at, position in sorted(self.committed):
            highest = max(highest, position)
            moments.append((at, highest))
        found = []
        for receipt in self.receipts:
            before = max((position for at, position in moments if at < receipt.asked), default="")
            if receipt.position <= before:
                found.append(receipt)
        return found

    def doubled(self) -> list[tuple[Receipt, Receipt]]:
        """What was given to two of whom the first still had it, as far as anybody has said."""
        by_text: dict[str, list[Receipt]] = defaultdict(list)
        for receipt in self.receipts:
            by_text[receipt.text].append(receipt)
        found = []
        for receipts in by_text.values():
            receipts.sort(key=lambda one: one.received)
            found += [
                (one, other)
                for one, other in itertools.pairwise(receipts)
                # Times of deadlines are whole milliseconds.
                if other.received < one.deadline - 0.001
            ]
        return found

    def statuses(self) -> set[int]:
        return {answer.status for answer in self.answers}


@dataclass(slots=True)
class Work:
    """Consumes until it is told to stop: fetches, works for so many seconds, says so."""

    caller: Caller
    name: str
    mode: str
    record: Record
    most: int = 10
    wait_seconds: float = 1.0
    seconds: float = 0.0

    def run(self, is_over: Callable[[], bool]) -> None:
        try:
            while not is_over():
                with contextlib.suppress(*BROKEN):
                    self.once()
        finally:
            self.caller.close()

    def once(self) -> None:
        """A page. Raises what is in `BROKEN`."""
        fetched = self._post("fetch", {"max": self.most, "wait_seconds": self.wait_seconds})
        if fetched is None:
            return
        page = fetched.data
        for one in page["messages"]:
            delivery = one.get("delivery")
            self.record.receipts.append(
                Receipt(
                    one["message"],
                    one["position"],
                    fetched.asked,
                    fetched.answered,
                    page["generation"],
                    seconds_of(delivery["deadline_at"]) if delivery else 0.0,
                    delivery["attempt"] if delivery else 0,
                )
            )
        time.sleep(self.seconds)
        if self.mode == "cursor":
            said = {"position": page["position"], "generation": page["generation"]}
            committed = self._post("commit", said)
            if committed is not None:
                self.record.committed.append((committed.answered, committed.data["position"]))
        elif page["messages"]:
            tokens = [one["delivery"]["token"] for one in page["messages"]]
            settled = self._post("ack", {"tokens": tokens})
            if settled is not None:
                for one, result in zip(page["messages"], settled.data["results"], strict=True):
                    self.record.acks.append((settled.asked, page["generation"], result["ok"]))
                    if result["ok"]:
                        self.record.done.setdefault(one["message"], settled.answered)

    def _post(self, verb: str, data: Any) -> Answer | None:
        """None: it was refused."""
        answer = self.caller.post(f"{self.name}/{verb}", data)
        self.record.answers.append(answer)
        if answer.status == 503:
            time.sleep(0.1)
        return answer if answer.status == 200 else None


def seconds_of(text: str) -> float:
    """Since 1970, of a time in an answer."""
    return datetime.fromisoformat(text).timestamp()


class Threads:
    """Runs what takes `is_over`, until the end of the context. What was raised is raised again."""

    def __init__(self, works: Iterable[Callable[[Callable[[], bool]], object]]) -> None:
        self._over = threading.Event()
        self._raised: list[BaseException] = []
        self._threads = [threading.Thread(target=self._run, args=[work]) for work in works]

    def _run(self, work: Callable[[Callable[[], bool]], object]) -> None:
        try:
            work(self._over.is_set)
        except BaseException as exc:
            self._raised.append(exc)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()
        if self._raised:
            raise self._raised[0]


class Publishing:
    """A program that publishes on and on; `texts`: what it was answered for."""

    def __init__(self, client: Client, channel: str, pause: float = 0.01, at_once: int = 5) -> None:
        self._client = client
        self._channel = channel
        self._pause = pause
        self._at_once = at_once
        self.texts: list[str] = []

    def run(self, is_over: Callable[[], bool]) -> None:
        while not is_over():
            texts = [str(len(self.texts) + index) for index in range(self._at_once)]
            body = {"messages": [{"message": text} for text in texts]}
            self._client.post(f"channels/{self._channel}/messages", body, 202)
            self.texts += texts
            time.sleep(self._pause)
