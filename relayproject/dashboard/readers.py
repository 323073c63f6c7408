"""Subscriptions that somebody should know of: they are behind, or have dead letters.

PostgreSQL is asked for all of them at once. MongoDB is asked behind the page's back
(`subscribers_app.measuring`): the page shows what is known by now, and of how many nothing is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from relayproject.observing.readers import LATE_SECONDS
from subscribers_app import watching
from subscribers_app.lag import Lag
from subscribers_app.measuring import measuring
from subscribers_app.watching import Watched

_SHOWN: Final = 8


@dataclass(frozen=True, slots=True)
class Troubled:
    """A subscription.

    lag:             None: it is not known
    overdue_seconds: for so long its oldest message could have been handed out
    """

    id: int
    name: str
    is_active: bool
    lag: Lag | None
    overdue_seconds: float
    dead: int

    @property
    def is_late(self) -> bool:
        """Whether somebody should know. A paused one is meant to be behind."""
        return self.is_active and self.overdue_seconds > LATE_SECONDS


@dataclass(frozen=True, slots=True)
class Readers:
    """Of all subscriptions those in trouble, the worst first.

    total:   how many there are, however many are looked at
    unknown: of how many of them it is not known
    """

    total: int
    unknown: int
    troubled: Sequence[Troubled]

    @property
    def late(self) -> int:
        """How many are behind."""
        return sum(one.is_late for one in self.troubled)

    @property
    def dead(self) -> int:
        """How many dead letters there are."""
        return sum(one.dead for one in self.troubled)

    @property
    def shown(self) -> Sequence[Troubled]:
        """Those that have room on the page."""
        return self.troubled[:_SHOWN]


def read() -> Readers:
    """Look. May raise `django.db.Error`."""
    rows = watching.watch()
    lags = measuring().lags(rows, 0.0)
    found = [_troubled(row, lags.get(row.id)) for row in rows]
    troubled = [one for one in found if one.is_late or one.dead]
    troubled.sort(key=lambda one: (-one.overdue_seconds, -one.dead))
    # So many at most are looked at: then they are counted, and of the others nothing is known.
    total = len(rows) if len(rows) < watching.MOST else sum(watching.states().values())
    unlooked = max(0, total - len(rows))
    return Readers(total, unlooked + sum(one.lag is None for one in found), troubled)


def _troubled(row: Watched, lag: Lag | None) -> Troubled:
    overdue = 0.0 if lag is None else lag.overdue_seconds(row.delay_seconds)
    return Troubled(row.id, row.name, row.is_active, lag, overdue, row.dead)
