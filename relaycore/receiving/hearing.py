"""Up to when it may be said that nobody has repeated something.

Whoever hears nobody must not take that for silence. So a process ends only what was over at a moment up to
which it had heard senders for a while without a pause: it takes that moment of PostgreSQL's clock *before* it
asks here. Where it stands still behind that, what ended meanwhile is not ended by it when it wakes: the
moment lies before.

Times here are seconds of a clock that never goes back.
"""

import math
from typing import Final

PAUSE_SECONDS: Final = 15.0
"""Whoever has not asked for so long has stood still."""

TAKEN_WITHIN_SECONDS: Final = 10.0
"""So long Prometheus waits for an answer, before it says the next thing."""

_READ_SECONDS: Final = 1.0
"""Within this all is read that came while a process stood still."""


class Hearing:
    """Of one process, from when it can hear."""

    def __init__(self, now: float) -> None:
        self._since = self._asked_at = now

    def failed(self, now: float) -> None:
        """What is said cannot be kept: nobody could repeat anything."""
        self._since = now

    def is_long_enough(self, now: float, seconds: float) -> bool:
        """Whether it has heard for so long without a pause, up to now. Asked each second."""
        if now - self._asked_at > PAUSE_SECONDS:  # It stood still: nobody could repeat anything.
            self._since = now
        self._asked_at = now
        return now - self._since >= seconds


class Awake:
    """Of one event loop: whether a request may be one that its sender has given up.

    A process that freezes takes what waits for it when it wakes, when its sender has told another one more:
    what has ended would begin to fire once more. What came before is asked while the rows are held: then
    nobody takes anything of these alerts between the question and the answer.
    """

    def __init__(self, now: float) -> None:
        self._beat_at, self._woke_at = now, -math.inf

    def beat(self, now: float) -> None:
        """It goes on. Told each second."""
        if now - self._beat_at > TAKEN_WITHIN_SECONDS:
            self._woke_at = now
        self._beat_at = now

    def is_late(self, came_at: float, now: float) -> bool:
        """Whether a request that was read then is too old, or has waited to be read."""
        self.beat(now)
        return now - came_at > TAKEN_WITHIN_SECONDS or came_at < self._woke_at + _READ_SECONDS
