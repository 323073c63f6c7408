"""When a leader ticks, and what it means that its ticks do not come back.

One tick each `interval` seconds, never two under way. Fewer while nobody needs them: no standby hears
them, nothing was heard that they could confirm, and the connection is known to be alive. The first tick
that a new standby hears counts it, so the second one comes after one interval.

A tick that Redis has published comes back over the data connection, or that connection is deaf. Ticks
that Redis does not take prove nothing: a leader that hears none of its own hears nothing, whatever else
it may hold.
"""

import math
from typing import Final

DEAF_SECONDS: Final = 0.7
"""Redis has published a tick, and for so long nothing at all was heard: the connection is dead."""

UNHEARD_SECONDS: Final = 1.4
"""A leader that has heard no tick of its own for so long does not hear: what it says of channels is over."""

_RESTING_TICKS: Final = 5
"""So many intervals a leader rests between two ticks that nobody needs."""

_BRISK_TICKS: Final = 2
"""Behind what was heard: one that comes after it, and one that confirms it."""

_HURRY: Final = 0.2
"""What is to be announced waits for so much of an interval at most."""


class Pulse:
    """The rhythm of one leader.

    heard_at: when a tick of its own was heard last; of a term without one, when it began
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._under_way = False
        self._ticked_at = float("-inf")
        self._brisk = 0
        self._is_published = False
        self._unheard_since: float | None = None
        self._heard = 0
        self.heard_at = float("-inf")

    def lead(self, now: float) -> None:
        """A term begins: the next tick is due now."""
        self._ticked_at = float("-inf")
        self._brisk = _BRISK_TICKS
        self.heard_at = now
        self.sound()

    def due_in(self, now: float, *, needed: bool, hurried: bool) -> float:
        """Seconds until the next tick; infinity while one is under way.

        `needed`: others hear it, or it says something; `hurried`: it announces something.
        """
        if self._under_way:
            return math.inf
        pause = self._interval
        if hurried:
            pause *= _HURRY
        elif not (needed or self._brisk or self._is_published):
            pause *= _RESTING_TICKS
        return max(0.0, self._ticked_at + pause - now)

    def tick(self, now: float) -> None:
        """One is on its way to Redis."""
        self._ticked_at = now
        self._brisk = max(0, self._brisk - 1)
        self._under_way = True

    def published(self, number: int, now: float) -> None:
        """Redis has published it."""
        self._under_way = False
        self._is_published = number > self._heard  # Its push may have come in first.
        if self._is_published and self._unheard_since is None:
            self._unheard_since = now

    def failed(self) -> None:
        """It is not known to be published, or Redis has refused it."""
        self._under_way = False

    def hear(self, number: int) -> None:
        """A tick came in over the data connection."""
        self._heard = number

    def prove(self, now: float) -> None:
        """A tick of the own term came in, over a connection that hears every channel."""
        self.heard_at = now

    def stir(self) -> None:
        """Something was heard that is not a tick: it is to be confirmed soon."""
        self._brisk = _BRISK_TICKS

    def sound(self) -> None:
        """Something came in over the data connection, or it is a new one: it is not dead.

        Anything counts, not only the tick that is waited for: under load that one may
        stand behind seconds of messages.
        """
        self._is_published = False
        self._unheard_since = None

    def is_deaf(self, now: float) -> bool:
        """Whether Redis publishes ticks that the data connection does not bring."""
        return self._unheard_since is not None and now - self._unheard_since > DEAF_SECONDS

    def is_unheard(self, now: float) -> bool:
        """Whether nothing shows any more that this leader hears."""
        return now - self.heard_at > UNHEARD_SECONDS
