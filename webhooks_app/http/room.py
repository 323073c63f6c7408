"""How many connections a client has to all of its targets together: no more than there are files for.

Up to half of them whoever wants one has one. Beyond that a target has no second one, and when all are taken
targets without any wait in line: what carries nothing is closed for them, and who has just had an answer
gives its connection up, even if more waits for it. So a target that is always busy holds up no other.
"""

import contextlib
import resource
from collections.abc import Iterable
from typing import Final, Protocol

MOST_FILES: Final = 65_536

_LEFT: Final = 4
"""One part of so many is left: for servers, names that are looked up, and what nobody counts."""


class Kept(Protocol):
    """A connection that carries nothing. `idle_since`: from when on."""

    idle_since: float

    def abort(self) -> None:
        """End it at once."""


class Target(Protocol):
    """Whoever may want a connection."""

    @property
    def idle(self) -> Iterable[Kept]:
        """Those that carry nothing."""

    def go_on(self) -> None:
        """There may be room."""


class Room:
    """For so many. `targets`: all there are, looked through once nothing is left."""

    def __init__(self, most: int, targets: Iterable[Target]) -> None:
        self._most = most
        self._targets = targets
        self._taken = self._given_up = 0
        self._waiting: dict[Target, None] = {}

    def takes(self, own: int) -> bool:
        """Whether a target that has so many may have one more."""
        return self._taken < (self._most if own == 0 else self._most // 2)

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for whom none was given up yet."""
        return len(self._waiting) > self._given_up

    def take(self) -> None:
        """One more is there, or is opened."""
        self._taken += 1

    def free(self) -> None:
        """One is gone."""
        self._taken -= 1
        self._given_up = max(0, self._given_up - 1)
        while self._waiting and self._taken < self._most:
            first = next(iter(self._waiting))
            del self._waiting[first]
            first.go_on()

    def give_up(self, connection: Kept) -> None:
        """End this one, for somebody who waits."""
        self._given_up += 1
        connection.abort()

    def wait(self, target: Target) -> None:
        """It has none, and there is none for it."""
        is_first = not self._waiting
        self._waiting.setdefault(target)
        if is_first:  # For whoever comes next nothing is kept any more: all that is free is given up.
            idle = [one for other in self._targets for one in other.idle]
            idle.sort(key=lambda one: one.idle_since)
            for one in idle[: 1 + self._most // 16]:
                self.give_up(one)


def most_connections() -> int:
    """As many as this process may have files open for. It allows itself as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, MOST_FILES)
    if resource.RLIM_INFINITY != soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # Else it has what it has.
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    files = wanted if soft == resource.RLIM_INFINITY else min(soft, MOST_FILES)
    return max(1, files - files // _LEFT)
