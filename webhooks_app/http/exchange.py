"""One request and what becomes of it, and what all exchanges of a client share."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from relaycore.outbound.addresses import Allowed
from relaycore.sending.answers import Answer
from webhooks_app.http.room import Room
from webhooks_app.http.writing import Writing

Done = Callable[[Answer], object]
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""From host and port to addresses, as text, the one to try first in front. OSError: there are none."""


class Stage(Enum):
    """How far an exchange has come."""

    WAITING = auto()  # For one of the connections.
    NAME = auto()
    CONNECTING = auto()
    WRITTEN = auto()  # All that is left is the endpoint's.


@dataclass(slots=True)
class Around:
    """What all of one client share.

    loop:     in which everything happens
    networks: what may be connected to
    resolve:  from names to addresses
    may_send: whether a request may be written now
    room:     for connections, of all targets together
    writing:  requests of this turn
    """

    loop: asyncio.AbstractEventLoop
    networks: Allowed
    resolve: Resolve
    may_send: Callable[[], bool]
    room: Room
    writing: Writing = field(init=False)

    def __post_init__(self) -> None:
        self.writing = Writing(self.loop, self.may_send)


class Carrier(Protocol):
    """A connection, as far as an exchange on it needs it."""

    def let_go(self) -> Answer | None:
        """Its time is up. What has come of its answer, if its head has."""


class Exchange:
    """One request.

    data:       as it is sent
    done:       is told the answer
    since:      when it was begun, and
    deadline:   when it is over at the latest: `time.monotonic`
    stage:      how far it has come
    connection: that carries it
    opening:    the task that makes one for it
    is_again:   it is on its second connection, since the first one had just been closed
    """

    __slots__ = ("connection", "data", "deadline", "done", "is_again", "opening", "since", "stage")

    def __init__(self, done: Done, since: float, deadline: float) -> None:
        self.data = b""
        self.done = done
        self.since = since
        self.deadline = deadline
        self.stage = Stage.WAITING
        self.connection: Carrier | None = None
        self.opening: asyncio.Task[None] | None = None
        self.is_again = False
