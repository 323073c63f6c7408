"""Programs that aggregate alerts by place: Relay's processor, and the peer of (l)."""

import itertools
import json
import random
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from benchmarks import hearing
from benchmarks.processes import cpu_seconds, family
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.speed import Speed
from benchmarks.target import WrongResult
from benchmarks.web import Web, peer_web
from relaycore.alerting.items import Input
from relaycore.alerting.rules import parse
from relaycore.alerting.trying import Trial
from tests.integration.processing import function

PEER: Final = "asyncio and Redis"

SETTINGS: Final = {
    "key": ["location"],
    "start": {"field": "timestamp"},
    "duration": {"field": "duration", "unit": "minutes"},
    "merge": {"type": "Mixed Threats"},
}
"""Those of the rule that comes along with `RELAY_ALERTS`."""

_PATIENCE_SECONDS: Final = 240.0
_LOOK_SECONDS: Final = 0.05
_SETTLE_SECONDS: Final = 0.5
"""Until what is kept ten times a second has been."""

_CHUNK: Final = 5000
_LATE_OF: Final = 5
_BEGINS: Final = timedelta(hours=2)
_WITHIN: Final = timedelta(hours=10)

_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Course:
    """Alerts of so many places. One of five has ended before it comes; no other one ends meanwhile."""

    places: int
    alerts: int

    def texts(self) -> list[str]:
        """All of them, the same each time but for the day."""
        chance, now = random.Random(self.places), datetime.now(UTC)
        return [json.dumps(self._alert(number, chance, now)) for number in range(self.alerts)]

    def _alert(self, number: int, chance: random.Random, now: datetime) -> dict[str, Any]:
        ahead = _BEGINS + _WITHIN * chance.random()
        begins = now - ahead if number % _LATE_OF == 0 else now + ahead
        return {
            "location": f"place {chance.randrange(self.places)}",
            "type": chance.choice(["Rockets", "Drones"]),
            "timestamp": begins.isoformat(),
            "duration": round(chance.uniform(1.0, 20.0), 2),
        }


class Aggregator(ABC):
    """Aggregates one course, again and again."""

    @abstractmethod
    def aggregate(self) -> Speed:
        """All of it was told, and is what it should be."""

    def begin(self) -> None:
        """The same once, before anything counts."""
        self.aggregate()


class RelayProcessor(Aggregator):
    """The processor of the stack. What it reads is stored before; each time another rule reads all of it."""

    def __init__(self, relay: Relay, course: Course) -> None:
        self._relay, self._course = relay, course
        self._channel = f"bench-alerts-{course.places}"
        _publish(relay, self._channel, course.texts())
        self.inputs = [
            Input(one["position"], one["message"])
            for one in relay.collection.find({"channel": self._channel}).sort("position")
        ]

    def aggregate(self) -> Speed:
        name = f"bench-rule-{next(_numbers)}"
        to = f"{name}.told"
        wanted = {
            "name": name,
            "channel": self._channel,
            "to": to,
            "kind": "window",
            "settings": SETTINGS,
            "start": "earliest",
        }
        expected = len(self._said(_unnamed, 0))
        before = processor_cpu(self._relay)
        answer = self._relay.stack.http.post("/api/v1/rules", json=wanted).raise_for_status()
        began = time.monotonic()  # It may have begun a moment ago, and begins within a second.
        told = {"channel": to}
        await_until(
            lambda: self._relay.collection.count_documents(told) >= expected, f"{name} tells everything"
        )
        took = time.monotonic() - began
        time.sleep(_SETTLE_SECONDS)
        used = processor_cpu(self._relay) - before
        self._require(answer.json(), to)
        self._relay.stack.http.delete(f"/api/v1/rules/{name}").raise_for_status()
        return Speed.of(self._course.alerts, used, took)

    def _require(self, rule: dict[str, Any], channel: str) -> None:
        name = function.ids(rule["uuid"].replace("-", ""), rule["revision"])
        said = self._said(name, int(time.time() * 1000))
        stored = {
            one["_id"].binary: one["message"] for one in self._relay.collection.find({"channel": channel})
        }
        if stored != said:
            wrong = len(said.items() ^ stored.items())
            raise WrongResult(f"{wrong} of {len(said)} outputs are not what the function says.")

    def _said(self, name: function.Name, until: int) -> dict[Any, str]:
        return function.said(parse("window", SETTINGS), self.inputs, until, name)


class Peer(Aggregator):
    """`peers/alerts_consumer.py`. What it reads stands in its stream, put there faster than it reads."""

    def __init__(self, relay: Relay, web: Web, course: Course, stream: str) -> None:
        self._redis, self._web, self._course, self._stream = relay.redis, web, course, stream

    def begin(self) -> None:
        """With a page that hears what it tells: of each place the same as Relay does."""
        texts = self._course.texts()
        inputs = [
            Input(f"{time.time_ns() // 1_000_000:013d}-{number:010d}-00000", text)
            for number, text in enumerate(texts)
        ]
        said = function.said(parse("window", SETTINGS), inputs, 0, _unnamed)
        expected = hearing.told(map(json.loads, said.values()))
        with hearing.hearing(self._web.port) as page:
            self._aggregate(texts)
            page.await_all(expected.total())
        hearing.require_same(hearing.told(page.heard), expected)

    def aggregate(self) -> Speed:
        return self._aggregate(self._course.texts())

    def _aggregate(self, alerts: Sequence[str]) -> Speed:
        before, began = self._web.cpu(), time.monotonic()
        for texts in _chunks(alerts):
            pipe = self._redis.pipeline(transaction=False)
            for text in texts:
                pipe.xadd(self._stream, {"alert": text})
            pipe.execute()
        await_until(self._has_all, f"{PEER} reads everything")
        used, took = self._web.cpu() - before, time.monotonic() - began
        self._redis.delete(f"{self._stream}:windows")
        self._redis.xtrim(self._stream, maxlen=0, approximate=False)
        return Speed.of(self._course.alerts, used, took)

    def _has_all(self) -> bool:
        found: Any = self._redis.xinfo_groups(self._stream)
        return bool(found) and found[0]["lag"] == 0 and found[0]["pending"] == 0


class TheFunction(Aggregator):
    """What a processor does with the log, alone: no server, no process of its own. What the rest may cost."""

    def __init__(self, inputs: Sequence[Input]) -> None:
        self._inputs = inputs

    def aggregate(self) -> Speed:
        began, cpu = time.monotonic(), time.process_time()
        trial = Trial("0" * 32, 0, parse("window", SETTINGS))
        for _ in trial.run(self._inputs, 0):
            pass
        return Speed.of(len(self._inputs), time.process_time() - cpu, time.monotonic() - began)


@contextmanager
def peer(relay: Relay, results: Results, name: str, stream: str) -> Iterator[Web | None]:
    """The peer, that reads this stream; None: something that it needs is not installed."""
    packages = "starlette", "socketio"
    with peer_web(relay, results, name, "alerts_consumer", packages, STREAM=stream) as web:
        yield web
    relay.redis.delete(stream, f"{stream}:windows")


def processor_cpu(relay: Relay) -> float:
    """Seconds that the worker with the processor has taken."""
    return cpu_seconds({"processor": family(relay.stack.pids["processors"])})["processor"]


def _publish(relay: Relay, channel: str, texts: Sequence[str]) -> None:
    """Make the channel, and have it store these."""
    relay.make_channel(channel)
    for some in _chunks(texts):
        relay.stack.http.post(
            f"/api/v1/channels/{channel}/messages?confirm=stored",
            content="\n".join(json.dumps({"message": text}) for text in some),
            headers={"content-type": "application/x-ndjson"},
        ).raise_for_status()
    stored = {"channel": channel}
    await_until(lambda: relay.collection.count_documents(stored) == len(texts), "all alerts are stored")


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for at in range(0, len(texts), _CHUNK):
        yield texts[at : at + _CHUNK]


def await_until(condition: Callable[[], object], what: str) -> None:
    """Wait for this.

    Raises:
        WrongResult: it does not come to that.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise WrongResult(f"Not within {_PATIENCE_SECONDS:.0f} s: {what}.")
        time.sleep(_LOOK_SECONDS)


def _unnamed(key: str, cause: str, kind: str, place: int, message: str) -> object:
    return key, cause, kind, place
