"""For how long an endpoint has done nothing but fail: when its owner is warned, and when it is disabled.

The time is reckoned from the first failure since the last success. A single message that fails says little,
however long nothing comes after it: where failures lie further apart than `HOLE_MS`, the time begins anew.
That is an hour more than any schedule waits: an attempt takes its time, and its turn. So whoever is disabled
has failed again and again, all the time.
(Svix starts its clock after several failures within a day, and disables after five days as well.)

Times are PostgreSQL's, as ms since 1970. What is kept is two of them, in the row of the endpoint.
"""

from dataclasses import dataclass
from typing import Final

from relaycore.sending.schedule import LONGEST_MS

_HOUR_MS: Final = 3_600_000

HOLE_MS: Final = LONGEST_MS + _HOUR_MS
DISABLED_AFTER_MS: Final = 120 * _HOUR_MS
WARNED_AFTER_MS: Final = (_HOUR_MS // 6, 24 * _HOUR_MS, 72 * _HOUR_MS, 96 * _HOUR_MS)
"""Ten minutes say that it fails; one day, three and four, that it is going to be disabled."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Of one endpoint.

    since: the first failure since the last success; None: the last attempt succeeded, or there was none
    last:  the last failure
    """

    since: int | None = None
    last: int | None = None

    def failed(self, now: int) -> "Failing":
        """One more attempt has failed. A clock that falls back begins anew."""
        if (
            self.since is None
            or self.last is None
            or not self.since <= self.last <= now <= self.last + HOLE_MS
        ):
            return Failing(now, now)
        return Failing(self.since, now)

    def succeeded(self) -> "Failing":
        """The same one, if that changes nothing. So it is when somebody enables the endpoint."""
        return self if self.since is None else _NOT

    @property
    def has_to_end(self) -> bool:
        """Whether the endpoint is to be disabled."""
        return self._lasts >= DISABLED_AFTER_MS

    def warning(self, before: "Failing") -> int | None:
        """Since it stood as before, the owner is to be warned: it has failed for so long, ms. None: not yet.

        Once for each of the times. Who dies before it is written that it has failed warns once more.
        """
        known = before._lasts if before.since == self.since else 0
        return max((one for one in WARNED_AFTER_MS if known < one <= self._lasts), default=None)

    def is_recovery(self, before: "Failing") -> bool:
        """Since it stood as before it has taken something, and somebody was warned meanwhile."""
        return self.since is None and before._lasts >= WARNED_AFTER_MS[0]

    @property
    def ends_at(self) -> int | None:
        """When it is disabled, if it goes on like this."""
        return None if self.since is None else self.since + DISABLED_AFTER_MS

    @property
    def _lasts(self) -> int:
        return 0 if self.since is None or self.last is None else self.last - self.since


_NOT: Final = Failing()
