"""When the states of a rule are due next."""

import heapq
from typing import Final

_SPARE: Final = 1000


class Timers:
    """Of keys: one for each at most."""

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def set(self, key: str, due: int | None) -> None:
        """This key is due then, ms; None: never."""
        if due is None:
            self._due.pop(key, None)
        elif self._due.get(key) != due:
            self._due[key] = due
            heapq.heappush(self._heap, (due, key))
            if len(self._heap) > 2 * len(self._due) + _SPARE:  # What was set anew is left in it.
                self._heap = [(at, one) for one, at in self._due.items()]
                heapq.heapify(self._heap)

    @property
    def next(self) -> int | None:
        """When the first one is due."""
        heap, due = self._heap, self._due
        while heap:
            at, key = heap[0]
            if due.get(key) == at:
                return at
            heapq.heappop(heap)
        return None

    def pop(self, upto: int) -> tuple[int, str] | None:
        """The first one that is due at this time or before: when, and which key. It is none any more."""
        # It is asked for each input. The first in the heap is the first that is due, or was due once.
        if not self._heap or self._heap[0][0] > upto:
            return None
        at = self.next
        if at is None or at > upto:
            return None
        _, key = heapq.heappop(self._heap)
        del self._due[key]
        return at, key
