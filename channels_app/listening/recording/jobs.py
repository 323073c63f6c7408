"""What the roster's thread has to do: what must be done, in order, and looks at the table."""

import math
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

MOST_NAMES: Final = 1000
"""A look at more channels is one at the whole table, which costs less."""

_REST_SECONDS: Final = 0.2
"""So long nobody looks after a look: whoever asks all the time is answered five times a second."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TableLook:
    """Look at these channels; at the whole table if there are none."""

    names: tuple[str, ...] = ()


class Jobs(Generic[T]):
    """A queue between two threads. Looks in it are one, and stand behind everything else.

    So it does not matter how often somebody asks for a look: a gap that is to be recorded waits
    for one look at most, the one that is under way.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._in_order: deque[T] = deque()
        self._names: set[str] = set()
        self._asked = False  # The table is to be looked at: at `_names`, or all of it.
        self._closed = False
        self._looked_at = self._looked_at_all_at = -math.inf

    def put(self, job: T) -> None:
        """Something that is to be done after everything that was put before."""
        with self._changed:
            self._in_order.append(job)
            self._changed.notify()

    def look(self, name: str = "") -> None:
        """The channel is to be looked at soon; the whole table if the name is empty."""
        with self._changed:
            if self._asked and not self._names:
                return  # All of it.
            self._names.add(name)
            if not name or len(self._names) > MOST_NAMES:
                self._names.clear()  # All of it from here on.
            if not self._asked:
                self._asked = True
                self._changed.notify()

    def peek(self) -> T | None:
        """What `take` gives next if nothing is put meanwhile that must be done; None: a look, or nothing."""
        with self._changed:
            return self._in_order[0] if self._in_order else None

    def close(self) -> None:
        """Nothing will be put any more."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, refresh_seconds: float) -> T | TableLook | None:
        """Wait for the next job; None when the queue is closed and everything in order was taken.

        A look at the whole table is due `refresh_seconds` after the one before, asked for or not.
        """
        with self._changed:
            while not self._in_order and not self._closed:
                now = time.monotonic()
                refresh_at = self._looked_at_all_at + refresh_seconds
                asked_at = self._looked_at + _REST_SECONDS if self._asked else math.inf
                if now >= refresh_at:
                    # What was asked for by name stays: a look at all may take an unchanged table for granted.
                    self._looked_at_all_at = now
                    return TableLook()
                if now >= asked_at:
                    return self._take_asked(now)
                self._changed.wait(min(refresh_at, asked_at) - now)
            return self._in_order.popleft() if self._in_order else None

    def _take_asked(self, now: float) -> TableLook:
        look = TableLook(tuple(self._names))
        self._names.clear()
        self._asked = False
        self._looked_at = now
        return look
