"""What was read ahead of subscriptions that nobody asks for just now: within bounds, all of it together.

It is kept for who asks next, and may be some 60 MiB for one whose messages are large. Letting it go loses
nothing: where a subscription stands says its row, and from there it is read anew.
"""

from typing import Final, Protocol

from django.conf import settings

from relaybase.connections import one_per_loop


class Rests(Protocol):
    """Something that was read ahead."""

    @property
    def held(self) -> int:
        """So many bytes it has at this moment, about."""

    def close(self) -> None:
        """Let them go."""


class Resting:
    """Of one event loop. Those that rest have at most so many bytes together."""

    def __init__(self, most: int) -> None:
        self._most: Final = most
        self._sizes: dict[Rests, int] = {}
        """The one that has rested longest first."""
        self.size = 0

    def rest(self, one: Rests) -> None:
        """Nobody asks for it any more."""
        self.work(one)
        self._sizes[one] = 0
        self.note(one)

    def work(self, one: Rests) -> None:
        """Somebody does, or it has let everything go."""
        self.size -= self._sizes.pop(one, 0)

    def note(self, one: Rests) -> None:
        """It may have more by now: what it has taken is read on."""
        if one not in self._sizes:
            return
        held = one.held
        self.size += held - self._sizes[one]
        self._sizes[one] = held
        while self.size > self._most:
            longest = next(iter(self._sizes))
            self.work(longest)
            longest.close()


@one_per_loop
def resting() -> Resting:
    """Those of this event loop: they have as much as answers may that are on their way."""
    return Resting(settings.RELAY_FETCH_MEMORY_BYTES)
