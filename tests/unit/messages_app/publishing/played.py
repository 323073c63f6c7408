"""A line to a Redis that is played: nothing happens on it but what the test says."""

from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis

from messages_app.publishing.line import AWAY, Line, Reply
from relaybase.redis import appending
from relaycore import envelope
from relaycore.errors import Disconnected

Command = tuple[Any, ...]

SEPARATOR = b";"
"""Each document that is appended here ends with it."""


class PlayedLine(Line):
    """As `Line`, of which it has nothing but the form.

    asked:      what has no answer yet, in order
    is_dialled: a dial is under way
    has_failed: the last one has failed, just now
    """

    def __init__(self, opened: Callable[[], None], failed: Callable[[Disconnected], None]) -> None:
        self._has_opened = opened
        self._has_failed = failed
        self.is_connected = self.is_dialled = self.has_failed = False
        self.asked: deque[tuple[Command, Callable[[Reply], None]]] = deque()  # type: ignore[assignment]

    @property
    def is_open(self) -> bool:
        return self.is_connected

    @property
    def is_stuck(self) -> bool:
        return False

    def need(self) -> None:
        if self.is_connected or self.is_dialled:
            return
        if self.has_failed:
            self._has_failed(Disconnected(AWAY))
        else:
            self.is_dialled = True

    def call(self, command: Command, answer: Callable[[Reply], None]) -> None:
        if self.is_connected:
            self.asked.append((command, answer))
        else:
            answer(Disconnected(AWAY))

    def drop(self, why: str) -> None:
        self.is_connected = False
        unanswered, self.asked = self.asked, deque()
        for _, answer in unanswered:
            answer(Disconnected(AWAY))

    # --- what the test does ------------------------------------------------------------------

    def dialled(self, *, succeeds: bool) -> None:
        """The dial that is under way ends."""
        self.is_dialled, self.is_connected, self.has_failed = False, succeeds, not succeeds
        if succeeds:
            self._has_opened()
        else:
            self._has_failed(Disconnected(AWAY))

    def reply(self, reply: Reply) -> None:
        """What was asked first is answered."""
        _, answer = self.asked.popleft()
        answer(reply)


class PlayedRedis:
    """What it would do.

    stream:   the documents that stand
    known:    the numbers that were given as known, with each append
    used:     of `most` bytes
    replicas: so many confirm
    """

    def __init__(self) -> None:
        self.stream: list[bytes] = []
        self.known: list[int] = []
        self.used, self.most = 0, 1000
        self.replicas = 1
        self.consumers = 0
        self.entries = 0

    def run(self, command: Command) -> Reply:
        """Do it; the reply."""
        match command:
            case ("EVAL", appending._PUBLISH, int(count), *rest):
                return self._publish(rest[count:])
            case ("EVAL", appending._ECHO_ALONE, *_):
                return b""
            case ("PUBSUB", *_):
                return [b"", self.consumers]
            case ("INFO", *_):
                return b"used_memory:%d\r\nmaxmemory:%d\r\n" % (self.used, self.most)
            case ("WAIT", *_):
                return self.replicas
            case ("PUBLISH", *_):
                return self.consumers
        raise AssertionError(command)

    def _publish(self, arguments: list[Any]) -> Reply:
        self.known.append(arguments[0])
        at, ids = 6, []
        for _ in range(arguments[5]):
            length = arguments[at + 1]
            names = arguments[at + 2 : at + 2 + length]
            fields = dict(zip(names[::2], names[1::2], strict=True))
            documents = [one + SEPARATOR for one in fields[envelope.F_BSON].split(SEPARATOR)[:-1]]
            assert arguments[at] == len(documents)
            self.stream += documents
            self.entries += 1
            ids.append(b"%d-0" % self.entries)
            at += 2 + length
        return [ids, b"%d" % len(self.stream), b""]


def refusal(text: str) -> Any:
    """An error as Redis answers it."""
    return hiredis.ReplyError(text)
