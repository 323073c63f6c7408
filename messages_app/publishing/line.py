"""One connection of an event loop to Redis. What is asked is answered in order."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from relaybase.connections import open_wire
from relaybase.redis.wire import Argument, Wire
from relaycore.errors import Disconnected

log = logging.getLogger(__name__)

Reply = Any
"""What Redis answered; `hiredis.ReplyError` if it refused, `Disconnected` if it is not known."""

_SILENCE_SECONDS: Final = 5.0
"""A connection on which something was asked and nothing has come for so long is given up."""

_STUCK_SECONDS: Final = 2.0
_REST_SECONDS: Final = 0.2
"""Between two dials, where the first one has failed."""

AWAY: Final = "Redis does not answer. Try again in a few seconds."


class Line:
    """For one event loop.

    opened: called once commands can be given
    failed: called when no connection could be made
    """

    def __init__(self, name: str, opened: Callable[[], None], failed: Callable[[Disconnected], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._name = name
        self._opened = opened
        self._failed = failed
        self._wire: Wire | None = None
        self._asked: deque[Callable[[Reply], None]] = deque()
        self._heard_at = 0.0
        self._dial: asyncio.Task[None] | None = None
        self._failed_at = float("-inf")
        self._check: asyncio.TimerHandle | None = None
        self._is_writing = False

    @property
    def is_open(self) -> bool:
        """Whether commands can be given."""
        return self._wire is not None

    @property
    def is_stuck(self) -> bool:
        """Whether Redis has not answered for a while what it was asked."""
        return bool(self._asked) and time.monotonic() - self._heard_at > _STUCK_SECONDS

    def need(self) -> None:
        """Connect, if there is no connection: `opened` or `failed` follows, now or later."""
        if self._wire is not None or self._dial is not None:
            return
        if time.monotonic() - self._failed_at < _REST_SECONDS:
            self._failed(Disconnected(AWAY))
            return
        self._dial = self._loop.create_task(self._open())

    async def is_ready(self) -> bool:
        """Whether there is a connection, once that is known."""
        if self._wire is None:
            self.need()
            if self._dial is not None:
                await asyncio.shield(self._dial)
        return self._wire is not None

    def call(self, command: tuple[Argument, ...], answer: Callable[[Reply], None]) -> None:
        """Send a command. `answer` is called later on, but at once if there is no connection."""
        if self._wire is None:
            answer(Disconnected(AWAY))
            return
        if not self._asked:
            self._heard_at = time.monotonic()
        self._asked.append(answer)
        if self._check is None:
            self._check = self._loop.call_later(_SILENCE_SECONDS, self._see_whether_it_answers)
        try:
            self._wire.send(command)
        except Disconnected as exc:
            self.drop(str(exc))
            return
        self._write_on(self._wire)

    async def ask(self, command: tuple[Argument, ...]) -> Reply:
        """Send a command; its reply. Who stops waiting takes nothing from the others."""
        answered: asyncio.Future[Reply] = self._loop.create_future()
        # The reply comes all the same, in its turn.
        self.call(command, lambda reply: None if answered.done() else answered.set_result(reply))
        return await answered

    def drop(self, why: str) -> None:
        """End the connection; what is under way is answered with `Disconnected`."""
        if self._wire is None:
            return
        log.info("%s: %s", self._name, why)
        self._loop.remove_reader(self._wire)
        if self._is_writing:
            self._loop.remove_writer(self._wire)
        self._is_writing = False
        self._wire.close()
        self._wire = None
        unanswered, self._asked = self._asked, deque()
        for answer in unanswered:
            answer(Disconnected(AWAY))

    async def _open(self) -> None:
        try:
            wire = await asyncio.to_thread(open_wire, self._name)
        except Exception as exc:  # Whatever it is: whoever waits for the connection must be told.
            log.warning("%s: %s", self._name, exc, exc_info=not isinstance(exc, Disconnected))
            self._dial, self._failed_at = None, time.monotonic()
            self._failed(Disconnected(AWAY))
            return
        self._dial, self._wire = None, wire
        self._loop.add_reader(wire, self._read, wire)
        self._opened()

    def _read(self, wire: Wire) -> None:
        try:
            replies = wire.receive()
        except Disconnected as exc:
            self.drop(str(exc))
            return
        if replies:
            self._heard_at = time.monotonic()
        for reply in replies:
            if wire is not self._wire or not self._asked:  # What one reply led to has ended the connection.
                return
            self._asked.popleft()(reply)

    def _write_on(self, wire: Wire) -> None:
        """Have the rest sent once there is room in the socket's buffer."""
        if wire.wants_to_write and not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(wire, self._write, wire)

    def _write(self, wire: Wire) -> None:
        try:
            wire.flush()
        except Disconnected as exc:
            self.drop(str(exc))
            return
        if not wire.wants_to_write:
            self._is_writing = False
            self._loop.remove_writer(wire)

    def _see_whether_it_answers(self) -> None:
        self._check = None
        if not self._asked:
            return
        left = self._heard_at + _SILENCE_SECONDS - time.monotonic()
        if left <= 0:
            self.drop(f"Redis has not answered for {_SILENCE_SECONDS:.0f} s.")
        else:
            self._check = self._loop.call_later(left, self._see_whether_it_answers)
