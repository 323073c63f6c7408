"""One `fetch`, on a locked subscription: what is handed out, where the cursor stands then, what was missed.

Whoever calls writes all of it in the transaction that holds the lock, and answers once that is committed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.holding import Held, Reread, is_read
from relaycore.delivering.leasing import Ahead, Delivery, Leased, Rows, comes_again, goes_on, lease
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.storing.expiring import Expired


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription as it stands, locked. `revision`: of what it is set to."""

    cursor: Cursor
    noted: Noted
    is_active: bool = True
    revision: int = 1


@dataclass(frozen=True, slots=True)
class Handed:
    """What is to be written, and then answered.

    cursor:    where it stands then
    noted:     what is known then of what retention has deleted
    missed:    what goes on record with that
    leased:    mode `lease`: the rows; None in the other one, and while it is paused
    lost:      mode `lease`: rows whose messages are gone: they are deleted, and on record as expired
    is_active: otherwise nothing is handed out
    """

    cursor: Cursor
    noted: Noted
    missed: Skip | None = None
    leased: Leased | None = None
    lost: Sequence[Delivery] = ()
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Unread:
    """Nothing is to be written: these are to be handed out once more, and have to be read first.

    open: with these keys somebody is to go on: what comes next for them has to be read first
    """

    rows: Sequence[Delivery]
    open: Sequence[Held] = ()


@dataclass(frozen=True, slots=True)
class Outdated:
    """Nothing is to be written: it is set to something else by now than what was read ahead was chosen by."""


def fetch(standing: Standing, ahead: Ahead, expired: Expired) -> Handed | Outdated | None:
    """Mode `cursor`: all of what was read ahead. None: the cursor is elsewhere, and it is to be read anew.

    expired: as it stood after `ahead` was read, never before
    """
    begun = _begin(standing, ahead, expired)
    if not isinstance(begun, Handed) or not begun.is_active:
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
    read: Mapping[bytes, bool],
    reread: Mapping[str, Reread] | None = None,
) -> Handed | Unread | Outdated | None:
    """Mode `lease`: at most so many messages. None: as above.

    find: the rows, if they are needed
    read: by id, whether a message that was handed out before was there, just now. What was not looked for
          is not handed out once more: an attempt counts only for what can be shown
    reread: by key, what was read to go on with those that are open
    """
    begun = _begin(standing, ahead, expired)
    if not isinstance(begun, Handed) or not begun.is_active:
        return begun
    rows = find()
    again = comes_again(settings, rows, most)
    opened = tuple(held for held in goes_on(settings, rows, most) if not is_read(held, reread or {}))
    if (unread := [row for row in again if row.id not in read]) or opened:
        return Unread(unread, opened)
    lost = [row for row in again if not read[row.id]]
    # If the lowest is lost, which is the lowest then is not known: in order the next look finds out.
    rest = [row for row in rows.due if row.has_spent(settings) or read.get(row.id)]
    outstanding = rows.outstanding - len([row for row in lost if not row.key])
    rows = replace(rows, due=rest, outstanding=outstanding)
    leased = lease(settings, standing.cursor, rows, ahead, most, now, reread)
    return Handed(leased.cursor, begun.noted, begun.missed, leased, lost)


def _begin(standing: Standing, ahead: Ahead, expired: Expired) -> Handed | Outdated | None:
    cursor = standing.cursor
    if ahead.revision != standing.revision:
        return Outdated()
    if (ahead.above, ahead.generation) != (cursor.position, cursor.generation):
        return None
    if not standing.is_active:
        return Handed(cursor, standing.noted, is_active=False)
    return Handed(cursor, *skip(cursor.position, standing.noted, expired))
