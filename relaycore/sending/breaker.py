"""Whether an endpoint is left alone: after failures in a row it is tried seldom, by one attempt at a time.

    =========  ===================================  =============================================
    state      by                                   becomes
    =========  ===================================  =============================================
    closed     a failure, fewer than `MOST` in a    closed, one more
               row with it
    closed     a failure, or one that says itself   open: nothing is tried for a pause, which
               that it is too much                  doubles with each failure in a row
    open       the pause ends                       half-open: one attempt, and nothing beside it
    half-open  it failed                            open, for a longer pause
    half-open  anything that is under way succeeds  closed
    closed     a success                            closed, none in a row
    =========  ===================================  =============================================

What began before it opened may end later. While the pause lasts that says nothing, whatever comes of it. Once
it is over a success closes it, whoever sent that: the endpoint takes something again. A failure of before
still says nothing: one that ends late would keep an endpoint away that is well by now. What is kept is two
numbers, in the row of the endpoint: half-open is open with a pause that has ended. So a new sender goes on as
it stands.

Times are PostgreSQL's, as ms since 1970.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST: Final = 5
FIRST_PAUSE_MS: Final = 1000
LONGEST_PAUSE_MS: Final = 5 * 60 * 1000


class State(StrEnum):
    """Of an endpoint. The values stand in the API."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, slots=True)
class Breaker:
    """Of one endpoint.

    failures: in a row
    until:    it is open, and this is the end of the pause; 0: it is closed
    """

    failures: int = 0
    until: int = 0

    def state(self, now: int) -> State:
        """As it is shown, too."""
        if not self.until:
            return State.CLOSED
        return State.OPEN if self._pauses_at(now) else State.HALF_OPEN

    def may_try(self, now: int, out: int) -> bool:
        """Whether one more attempt may begin. `out`: so many are under way at the endpoint."""
        return not self.until or (not out and not self._pauses_at(now))

    def succeeded(self, now: int) -> "Breaker":
        """An attempt was taken. The same one, if that changes nothing."""
        if not (self.failures or self.until) or self._pauses_at(now):
            return self
        return _CLOSED

    def failed(
        self,
        now: int,
        began_at: int,
        chance: float,
        *,
        is_slow: bool = False,
        retry_after: float | None = None,
    ) -> "Breaker":
        """An attempt that began then has failed. The same one, if that changes nothing.

        chance:      in [0, 1): pauses are up to a fifth longer
        is_slow:     the endpoint says itself that it is too much
        retry_after: and when it may be tried again, in seconds; no pause is longer than the longest
        """
        # By the clock of now: the longest pause ends later than that after it began, and was long ago then.
        if began_at < self.until <= now + LONGEST_PAUSE_MS:
            return self
        failures = self.failures + 1
        if failures < MOST and not is_slow and not self.until:
            return Breaker(failures)
        pause = FIRST_PAUSE_MS * 2.0 ** min(max(0, failures - MOST), 20) * (1 + chance / 5)
        pause = min(LONGEST_PAUSE_MS, max(pause, 1000 * (retry_after or 0)))
        return Breaker(failures, now + round(pause))

    def _pauses_at(self, time: int) -> bool:
        """A pause that ends later than any may is one of a clock that has fallen back since."""
        return time < self.until <= time + LONGEST_PAUSE_MS


_CLOSED: Final = Breaker()
