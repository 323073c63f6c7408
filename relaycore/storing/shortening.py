"""How long a channel keeps its messages, where that was made shorter.

What is deleted does not come back. So a shorter time deletes nothing for a minute: what held before holds
on, and who sets it back within that minute has lost nothing. Made shorter twice, the whole minute begins
anew, and the longest time of both holds on.

A clock that is set back only lengthens the minute.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WAIT: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Retention:
    """What stands in a channel's row. All times are of one clock.

    seconds:      messages that are older are to be deleted; None: none ever
    before:       what held before it was made shorter, in seconds; None: for ever
    shortened_at: when that was; None: it was not, and `before` says nothing
    """

    seconds: int | None = None
    before: int | None = None
    shortened_at: datetime | None = None

    def holds(self, now: datetime) -> int | None:
        """Messages that are older than this may be deleted now, in seconds; None: none."""
        return self.before if self.is_waiting(now) else self.seconds

    def is_waiting(self, now: datetime) -> bool:
        """Whether it was made shorter, and deletes nothing yet by its new time."""
        return self.shortened_at is not None and now < self.shortened_at + WAIT

    def become(self, seconds: int | None, now: datetime) -> "Retention":
        """Another time is set. It waits if that would delete what now may not be deleted."""
        held = self.holds(now)
        is_shorter = seconds is not None and (held is None or seconds < held)
        return Retention(seconds, held, now) if is_shorter else Retention(seconds)
