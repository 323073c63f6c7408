"""Up to when it may be said that nobody has repeated something.

Whoever hears nobody must not take that for silence. So a process ends only what was over at a moment up to
which it had heard senders for a while without a pause: it takes that moment of PostgreSQL's clock *before* it
asks here. Where it stands still behind that, what ended meanwhile is not ended by it when it wakes: the
moment lies before.

Times here are seconds of a clock that never goes back.
"""

from typing import Final

PAUSE_SECONDS: Final = 15.0
"""Whoever has not looked for so long has stood still."""


class Hearing:
    """Of one process, from when it can hear."""

    def __init__(self, now: float) -> None:
        self._since = self._looked_at = now

    def looked(self, now: float) -> None:
        """It looks, at least once in `PAUSE_SECONDS`. If it stood still, nobody could repeat anything."""
        if now - self._looked_at > PAUSE_SECONDS:
            self._since = now
        self._looked_at = now

    def failed(self, now: float) -> None:
        """What is said cannot be kept: nobody could repeat anything."""
        self._since = now

    def is_long_enough(self, now: float, seconds: float) -> bool:
        """Whether it has heard for so long without a pause, up to now."""
        self.looked(now)
        return now - self._since >= seconds
