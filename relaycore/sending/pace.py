"""How fast one endpoint is sent to: attempts that begin in a second, and that are under way at once."""

from typing import Final

_SLACK_SECONDS: Final = 0.01
"""What was not used may be made up for so much: timers come late. So it is a hundredth more at most."""


class Pace:
    """Of one endpoint. Times are seconds of a clock that only goes on.

    per_second: None: as many as it takes
    """

    def __init__(self, per_second: float | None) -> None:
        self._gap = _gap(per_second)
        self._next = float("-inf")

    def set(self, per_second: float | None) -> None:
        """It is this by now, counted from the one that began last: who sets it again has not waited yet."""
        gap = _gap(per_second)
        self._next += gap - self._gap
        self._gap = gap

    def wait(self, now: float) -> float:
        """So long until one more may begin; 0: it may."""
        return max(0.0, self._next - now) if self._gap else 0.0

    def take(self, now: float) -> None:
        """One begins."""
        if self._gap:
            self._next = max(self._next, now - _SLACK_SECONDS) + self._gap


def _gap(per_second: float | None) -> float:
    """Seconds from one to the next."""
    return 0.0 if per_second is None else 1 / per_second


PAUSE_SECONDS: Final = 600.0
"""Nobody knows how an endpoint fares to which nothing was sent for so long."""


class Rise:
    """How many attempts may be under way at one endpoint: one at first, and twice as many with each round.

    A round is as many successes as may be under way, without a failure between them. So a receiver that has
    come up again, and to which days of messages are owed, is not met by all that it takes at its best. Times
    are seconds of a clock that only goes on.

    most:    so many at last
    is_slow: it begins with one; else that is only so once nothing was sent for `PAUSE_SECONDS`
    """

    def __init__(self, most: int, *, is_slow: bool = False) -> None:
        self._most = most
        self._allowed = 1 if is_slow else most
        self._done = 0
        self._sent_at: float | None = None

    def allowed(self, now: float) -> int:
        """So many may be under way."""
        if self._sent_at is not None and now - self._sent_at > PAUSE_SECONDS:
            self.begin_anew()
        return self._allowed

    def send(self, now: float) -> None:
        """One begins."""
        self._sent_at = now

    def succeed(self) -> None:
        """One has succeeded."""
        if self._allowed < self._most:
            self._done += 1
            if self._done >= self._allowed:
                self._allowed, self._done = min(2 * self._allowed, self._most), 0

    def fail(self) -> None:
        """One has failed: the round begins anew."""
        self._done = 0

    def begin_anew(self) -> None:
        """It is not known how it fares."""
        self._allowed, self._done = 1, 0
