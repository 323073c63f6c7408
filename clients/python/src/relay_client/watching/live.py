"""Watching channels, for threads. `trail` decides; here is the waiting.

There is no thread of its own: who asks for the next message reads. `close` ends that at once, from another
thread or a signal handler; it takes no lock and wakes who sleeps by a mark that is looked at.
"""

import logging
import os
import random
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from relay_client.errors import Closed, RelayError
from relay_client.rows import Message
from relay_client.streams import Streams
from relay_client.watching.rows import Happening, Told, tell
from relay_client.watching.trail import Trail

log = logging.getLogger("relay_client")

_LOOK_SECONDS: Final = 0.1


class Live:
    """What is stored of some channels, as it is stored: `client.live(…)`. One loop at a time reads it."""

    def __init__(self, trail: Trail, streams: Streams, told: Told | None) -> None:
        self._trail = trail
        self._chance = random.Random()
        self._streams = streams
        self._told = told
        self._process = os.getpid()
        self._loop = 0
        self._is_closed = False

    @property
    def id(self) -> str:
        """Where it stands: behind the last thing that was handed out. For `after`, later."""
        return self._trail.id

    def __iter__(self) -> Iterator[Message]:
        """The messages as they come, until `close`. What is told besides goes to `told`.

        Raises:
            RelayError: something that will not pass, such as a token that holds no longer.
        """
        for happening in self.events():
            if isinstance(happening, Message):
                yield happening
            else:
                tell(log, self._told, happening)

    def events(self) -> Iterator[Happening]:
        """The messages and all that is told, in one order. A loop that was left goes on by a new one.

        Raises:
            Closed: it is closed, or was made in another process.
            RelayError: something that will not pass.
        """
        if self._is_closed or os.getpid() != self._process:
            raise Closed("This is closed, or was made in another process.")
        self._loop += 1
        loop = self._loop
        self._streams.cut()
        while self._goes_on(loop):
            error: RelayError | None = None
            try:
                yield from self._stream(loop)
            except RelayError as exc:
                error = exc
            if not self._goes_on(loop):
                return
            pause, away = self._trail.broken(error, self._chance.random())
            if away is not None:
                yield away
            self._rest(time.monotonic() + pause, loop)

    def close(self) -> None:
        """End it, and the loop that reads it. May be called again, and in a signal handler."""
        self._is_closed = True
        self._streams.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._streams.close()

    def __repr__(self) -> str:
        return f"Live({', '.join(map(repr, self._trail.channels))})"

    def _stream(self, loop: int) -> Iterator[Happening]:
        with self._streams.open(self._trail.call()) as (answer, chunks):
            if not self._trail.begin(answer):
                return
            for chunk in chunks:
                happenings = self._trail.feed(chunk)
                while self._goes_on(loop) and (happening := next(happenings, None)) is not None:
                    yield happening
                if not self._goes_on(loop):
                    return

    def _goes_on(self, loop: int) -> bool:
        return not self._is_closed and not self._trail.is_over and loop == self._loop

    def _rest(self, until: float, loop: int) -> None:
        while self._goes_on(loop) and (left := until - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
