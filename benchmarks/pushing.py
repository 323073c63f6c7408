"""Programs that send webhooks: Relay's sender, and the peers of (k)."""

import importlib.util
import json
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks import hooks
from benchmarks.contenders import PEERS
from benchmarks.load import Shape, make_load
from benchmarks.processes import cpu_seconds, family
from benchmarks.receiver import Receiver
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.speed import Speed
from benchmarks.target import WrongResult
from tests import node
from tests.acceptance.stack import ROOT

BODY: Final = Shape()
_CHUNK: Final = 10_000
_SETTLE_SECONDS: Final = 0.5
"""Until what is recorded ten times a second has been."""


@dataclass(frozen=True, slots=True)
class Course:
    """What is sent: `messages` to each URL, `concurrency` at a time."""

    urls: Sequence[str]
    concurrency: int
    messages: int

    @property
    def deliveries(self) -> int:
        """All together."""
        return self.messages * len(self.urls)


class Sender(ABC):
    """Sends one course, again and again."""

    @abstractmethod
    def send(self, receiver: Receiver) -> Speed:
        """All of it has come, each once."""


class RelaySender(Sender):
    """The sender of the stack. What it is to send is stored before; its subscriptions begin with it."""

    def __init__(self, relay: Relay, course: Course, channel: str) -> None:
        self._relay, self._course, self._channel = relay, course, channel
        publish(relay, channel, course.messages)

    def send(self, receiver: Receiver) -> Speed:
        course = self._course
        receiver.expect(course.deliveries)
        before = sender_cpu(self._relay)
        hooks.make(self._relay, self._channel, course.urls, course.concurrency)
        began = time.monotonic()  # It may have begun a moment ago, and begins within a second.
        came = receiver.wait()
        time.sleep(_SETTLE_SECONDS)
        used = sender_cpu(self._relay) - before
        hooks.delete(self._relay)
        if came.repeated:
            raise WrongResult(f"{came.repeated} webhooks came more than once.")
        return Speed.of(course.deliveries, used, came.at - began)


class PeerSender(Sender):
    """A program that sends so many to each of its URLs whenever it reads a line."""

    def __init__(self, process: "subprocess.Popen[bytes]", course: Course) -> None:
        self._process, self._course = process, course
        self._await("ready")

    def send(self, receiver: Receiver) -> Speed:
        assert self._process.stdin is not None
        receiver.expect(self._course.deliveries)
        before, began = self._cpu(), time.monotonic()
        self._process.stdin.write(b"%d\n" % self._course.messages)
        self._process.stdin.flush()
        self._await("done")
        used, took = self._cpu() - before, time.monotonic() - began
        receiver.wait()
        return Speed.of(self._course.deliveries, used, took)

    def _cpu(self) -> float:
        return cpu_seconds({"peer": family(self._process.pid)})["peer"]

    def _await(self, word: str) -> None:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().decode().strip()
        if said != word:
            raise WrongResult(f"A peer says {said!r} instead of {word!r}.")


def publish(relay: Relay, channel: str, messages: int) -> None:
    """Make the channel, and have it store so many."""
    relay.make_channel(channel)
    load = make_load(BODY, messages)
    for at in range(load.first, load.ids.stop, _CHUNK):
        lines = [json.dumps({"message": BODY.text(id).decode()}) for id in load.ids if at <= id < at + _CHUNK]
        answer = relay.stack.http.post(
            f"/api/v1/channels/{channel}/messages?confirm=stored",
            content="\n".join(lines),
            headers={"content-type": "application/x-ndjson"},
        )
        answer.raise_for_status()


def sender_cpu(relay: Relay) -> float:
    """Seconds that the worker with the sender has taken."""
    return cpu_seconds({"sender": family(relay.stack.pids["senders"])})["sender"]


@contextmanager
def undici(results: Results, name: str, course: Course, authority: Path) -> Iterator[Sender | None]:
    """Npm's undici."""
    try:
        folder = node.installed(PEERS / "webhooks")
    except (AssertionError, subprocess.TimeoutExpired) as exc:
        results.skip(name, str(exc))
        yield None
        return
    with _running([str(node.NODE), str(folder / "undici.mjs")], course, authority) as sender:
        yield sender


@contextmanager
def aiohttp(results: Results, name: str, course: Course, authority: Path) -> Iterator[Sender | None]:
    """PyPI's aiohttp, on uvloop."""
    if importlib.util.find_spec("aiohttp") is None:
        results.skip(name, "no aiohttp: benchmarks/peers/requirements.txt")
        yield None
        return
    with _running([sys.executable, str(PEERS / "aiohttp_send.py")], course, authority) as sender:
        yield sender


@contextmanager
def _running(argv: Sequence[str], course: Course, authority: Path) -> Iterator[Sender]:
    is_tls = course.urls[0].startswith("https")
    said = {
        "urls": list(course.urls),
        "concurrency": course.concurrency,
        "body": BODY.text(make_load(BODY, 1).first).decode(),
        "authority": str(authority) if is_tls else "",
    }
    process = subprocess.Popen(
        [*argv, json.dumps(said)],
        cwd=ROOT,
        env=node.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield PeerSender(process, course)
    finally:
        process.kill()
        process.communicate()
