"""What the program has done or given back, until Relay is told: mode `lease`."""

from collections import deque
from collections.abc import Callable

from relay_client.subscribing.holding import Held, State
from relay_client.subscribing.pace import MOST_MESSAGES


class Finished:
    """In the order in which it came. `since`: from when on something waits here; None: nothing does."""

    def __init__(self) -> None:
        self._held: deque[Held] = deque()
        self.since: float | None = None

    def __len__(self) -> int:
        return len(self._held)

    def add(self, held: Held, now: float) -> None:
        """One more."""
        self._held.append(held)
        self.since = now if self.since is None else self.since

    def again(self, held: Held, now: float) -> None:
        """Relay could not be told: this one is told first."""
        self._held.appendleft(held)
        self.since = now if self.since is None else self.since

    def take_alike(self, now: float) -> list[Held]:
        """The first one, and what is to be told in the same words, as many as one request may have."""
        first = self._held[0]
        return self._take(lambda one: (one.state, one.delay) == (first.state, first.delay), now)

    def take_done(self, now: float) -> list[Held]:
        """Those that are done, as many as one request may have."""
        return self._take(lambda one: one.state is State.DONE, now)

    def clear(self) -> None:
        """They are of no use any more."""
        self._held.clear()
        self.since = None

    def _take(self, is_wanted: Callable[[Held], bool], now: float) -> list[Held]:
        chosen: list[Held] = []
        others: deque[Held] = deque()
        for one in self._held:
            (chosen if len(chosen) < MOST_MESSAGES and is_wanted(one) else others).append(one)
        if chosen:
            self._held, self.since = others, now if others else None
        return chosen
