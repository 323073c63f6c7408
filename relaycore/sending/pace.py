"""How many attempts begin in a second at one endpoint, evenly spread."""

from typing import Final

_SLACK_SECONDS: Final = 0.01
"""What was not used may be made up for so much: timers come late. So it is a hundredth more at most."""


class Pace:
    """Of one endpoint. Times are seconds of a clock that only goes on.

    per_second: None: as many as it takes
    """

    def __init__(self, per_second: float | None) -> None:
        self._gap = 0.0 if per_second is None else 1 / per_second
        self._next = float("-inf")

    def wait(self, now: float) -> float:
        """So long until one more may begin; 0: it may."""
        return max(0.0, self._next - now) if self._gap else 0.0

    def take(self, now: float) -> None:
        """One begins."""
        if self._gap:
            self._next = max(self._next, now - _SLACK_SECONDS) + self._gap
