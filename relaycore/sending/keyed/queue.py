"""New messages that were not tried yet: which may be, and which wait behind another one of their key."""

import bisect
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Final

from relaycore.sending.batches.composing import Limits, is_full, taken
from relaycore.sending.items import Item, State
from relaycore.sending.keyed.keys import Keys

_POSITION: Final = attrgetter("position")


class Queue:
    """Of one window. A message without a key waits for no other one."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self.clear()

    def clear(self) -> None:
        """Nothing is here."""
        self._ready: deque[Item] = deque()
        self._behind: dict[str, deque[Item]] = {}
        self._tried: set[str] = set()

    def __len__(self) -> int:
        """So many may be tried."""
        return len(self._ready)

    @property
    def has_behind(self) -> bool:
        """Whether any waits."""
        return bool(self._behind)

    def add(self, item: Item) -> None:
        """It stands above all others."""
        key = item.key
        if not key:
            self._ready.append(item)
        elif key in self._tried or self._keys.is_parked(key):
            self._behind.setdefault(key, deque()).append(item)
        else:
            self._tried.add(key)
            self._ready.append(item)

    def add_without_keys(self, items: Iterable[Item]) -> None:
        """They stand above all others."""
        self._ready += items

    def rebuild(self, items: Iterable[Item]) -> None:
        """These are in the window, in order. What is known of keys may be another thing than before."""
        self.clear()
        for one in items:
            if one.state is State.QUEUED:
                self.add(one)
            elif one.key and (one.state is State.OUT or (one.state is State.FAILED and not one.is_dead)):
                self._tried.add(one.key)

    def take(self) -> Item | None:
        """The lowest that may be tried."""
        ready = self._ready
        if not ready or not ready[0].key:
            return ready.popleft() if ready else None
        for at, one in enumerate(ready):
            # One may have been let go while it was out, or be out as a row that somebody has redriven.
            if not one.key or not (self._keys.is_out(one.key) or self._keys.is_parked(one.key)):
                del ready[at]
                return one
        return None

    def take_together(self, limits: Limits, hurried: str, *, may_wait: bool) -> Sequence[Item] | None:
        """Those of the lowest that go together; None: they wait for more. None of them has a key.

        hurried:  up to this position nothing waits any more
        may_wait: whether what is not full waits
        """
        ready = self._ready
        if may_wait and ready and ready[0].position > hurried and not is_full(ready, limits):
            return None
        found = list(taken(ready, limits))
        for _ in found:
            ready.popleft()
        return found

    def give_back(self, item: Item) -> None:
        """It was not tried after all."""
        bisect.insort(self._ready, item, key=_POSITION)

    def remove(self, item: Item) -> None:
        """It stands elsewhere by now."""
        self._ready.remove(item)

    def ended(self, item: Item) -> None:
        """It is done, or has failed: the next one of its key may be tried, or is parked. It has a key."""
        key = item.key
        if item.state is State.FAILED and not item.is_dead:
            return
        self._tried.discard(key)
        if key in self._behind and not self._keys.is_parked(key):
            behind = self._behind[key]
            self._tried.add(key)
            self.give_back(behind.popleft())
            if not behind:
                del self._behind[key]

    def expire(self, before: str) -> Iterator[Item]:
        """Those that stand below, which are here no more. It is to be rebuilt then, if there are keys."""
        while self._ready and self._ready[0].position < before:
            yield self._ready.popleft()
        for behind in self._behind.values():
            while behind and behind[0].position < before:
                yield behind.popleft()
