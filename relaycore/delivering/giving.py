"""One `fetch`, on a locked subscription: what is handed out, where the cursor stands then, what was missed.

Whoever calls writes all of it in the transaction that holds the lock, and answers once that is committed.
"""

from collections.abc import Callable
from dataclasses import dataclass

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Ahead, Leased, Rows, lease
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.storing.expiring import Expired


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription as it stands, locked."""

    cursor: Cursor
    noted: Noted
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Handed:
    """What is to be written, and then answered.

    cursor:    where it stands then
    noted:     what is known then of what retention has deleted
    missed:    what goes on record with that
    leased:    mode `lease`: the rows; None in the other one, and while it is paused
    is_active: otherwise nothing is handed out
    """

    cursor: Cursor
    noted: Noted
    missed: Skip | None = None
    leased: Leased | None = None
    is_active: bool = True


def fetch(standing: Standing, ahead: Ahead, expired: Expired) -> Handed | None:
    """Mode `cursor`: all of what was read ahead. None: the cursor is elsewhere, and it is to be read anew.

    expired: as it stood after `ahead` was read, never before
    """
    begun = _begin(standing, ahead, expired)
    if begun is None or not begun.is_active:
        return begun
    cursor = standing.cursor.fetch(ahead.upto, ahead.generation)
    return Handed(cursor, begun.noted, begun.missed)


def lease_next(
    standing: Standing,
    settings: Settings,
    find: Callable[[], Rows],
    ahead: Ahead,
    most: int,
    now: int,
    expired: Expired,
) -> Handed | None:
    """Mode `lease`: at most so many messages. None: as above. `find`: the rows, if they are needed."""
    begun = _begin(standing, ahead, expired)
    if begun is None or not begun.is_active:
        return begun
    leased = lease(settings, standing.cursor, find(), ahead, most, now)
    return Handed(leased.cursor, begun.noted, begun.missed, leased)


def _begin(standing: Standing, ahead: Ahead, expired: Expired) -> Handed | None:
    cursor = standing.cursor
    if (ahead.above, ahead.generation) != (cursor.position, cursor.generation):
        return None
    if not standing.is_active:
        return Handed(cursor, standing.noted, is_active=False)
    return Handed(cursor, *skip(cursor.position, standing.noted, expired))
