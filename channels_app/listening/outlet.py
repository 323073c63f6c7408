"""The command connection of a listener, and how connections are made without waiting."""

import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

import hiredis

from relaybase import logs
from relaybase.connections import open_wire
from relaybase.redis.wire import Argument, Wire
from relaycore.backoff import Backoff
from relaycore.errors import Disconnected

log = logging.getLogger(__name__)

Reply = Any
"""What Redis answered; `hiredis.ReplyError` if it refused, `Disconnected` if it is not known."""

_LOCAL_SECONDS = 0.02
"""Long enough for a server nearby: then the connection is there within the same call."""


class Dialer:
    """Makes connections in a thread, so that a server that does not answer holds nobody up."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._backoff = Backoff()
        self._not_before = 0.0
        self._thread: threading.Thread | None = None
        self._made: Wire | None = None

    def dial(self, now: float) -> Wire | None:
        """Begin, or look whether it has worked. `now` is monotonic, in seconds."""
        if self._thread is None:
            if now < self._not_before:
                return None
            self._thread = logs.thread(self._connect, f"dial {self._name}")
            self._thread.start()
            self._thread.join(_LOCAL_SECONDS)
        if self._thread.is_alive():
            return None
        self._thread = None
        made, self._made = self._made, None
        if made is None:
            self._not_before = now + self._backoff.next(random.random())
        else:
            self._backoff.reset()
        return made

    def _connect(self) -> None:
        try:
            self._made = open_wire(self._name)
        except Disconnected as exc:
            log.warning("%s: %s", self._name, exc)


class Outlet:
    """Sends commands and hands each reply to who asked for it, in order.

    A connection that ends answers everything that is under way with `Disconnected`: the
    command may have been executed or not. Whoever sent it decides what that means.
    `refused` is told of every error that Redis answers, before who asked is.

    run_id:   of the server to which it leads; empty while there is none, or it is not known
    why_shut: why no commands can be given; empty if they can
    """

    def __init__(self, name: str, refused: Callable[[str], object] = str) -> None:
        self._name = name
        self._refused = refused
        self._dialer = Dialer(name)
        self._wire: Wire | None = None
        self._asked: deque[Callable[[Reply], None]] = deque()
        self._heard_at = 0.0
        self.connections = 0
        self.run_id = ""
        self.why_shut = ""

    @property
    def is_open(self) -> bool:
        """Whether commands can be sent and the server is known."""
        return self._wire is not None and bool(self.run_id)

    @property
    def wire(self) -> Wire | None:
        """For a selector."""
        return self._wire

    def call(self, command: tuple[Argument, ...], answer: Callable[[Reply], None]) -> None:
        """Send one command. `answer` is called from `turn`, or at once if there is no connection."""
        if self._wire is None:
            answer(Disconnected("There is no connection to Redis."))
            return
        self._asked.append(answer)
        try:
            self._wire.send(command)
        except Disconnected as exc:
            self._drop(exc)

    def turn(self, now: float, silence_seconds: float) -> None:
        """Take replies, send what waits, connect if there is no connection.

        A connection on which something was asked `silence_seconds` ago and nothing at
        all has come since is given up.
        """
        if self._wire is None:
            self._open(now)
            return
        try:
            self._wire.flush()
            replies = self._wire.receive()
        except Disconnected as exc:
            self._drop(exc)
            return
        if replies or not self._asked:
            self._heard_at = now
        elif now - self._heard_at > silence_seconds:
            self._drop(Disconnected(f"Redis has not answered for {silence_seconds:.0f} s."))
            return
        for reply in replies:
            if not self._asked:  # What one reply led to has ended the connection, or begun another one.
                return
            # First of all: whatever is called here may send, and find that the connection has ended.
            answer = self._asked.popleft()
            if isinstance(reply, hiredis.ReplyError):
                self._refused(str(reply))
            answer(reply)

    def drop(self, why: str) -> None:
        """End the connection: the next `turn` makes a new one."""
        self._drop(Disconnected(why))

    def close(self) -> None:
        """End the connection."""
        if self._wire is not None:
            self._drop(Disconnected("The listener ends."))

    def _open(self, now: float) -> None:
        self._wire = self._dialer.dial(now)
        if self._wire is not None:
            self.connections += 1
            self._heard_at = now
            self.call(("INFO", "server"), self._learn_server)

    def _learn_server(self, reply: Reply) -> None:
        if isinstance(reply, bytes):
            self.run_id = run_id_in(reply)
            self.why_shut = ""
        elif isinstance(reply, hiredis.ReplyError):
            self.drop(f"Redis does not say which server it is (INFO): {reply}")

    def _drop(self, why: Disconnected) -> None:
        if self._wire is None:
            return
        log.info("%s: %s", self._name, why)
        self._wire.close()
        self._wire = None
        self.run_id = ""
        self.why_shut = str(why)
        unanswered, self._asked = self._asked, deque()
        for answer in unanswered:
            answer(why)


def run_id_in(info: bytes) -> str:
    """Which Redis server says this of itself in answer to INFO."""
    return next((line[7:].decode("ascii") for line in info.splitlines() if line.startswith(b"run_id:")), "")
