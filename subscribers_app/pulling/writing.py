"""A fetch in its transaction: it is decided (`relaycore.delivering.giving`), and written if it has room."""

import functools

from relaycore.delivering.giving import Handed, Outdated, Standing, Unread, fetch, lease_next
from relaycore.delivering.leasing import Leased
from relaycore.delivering.settings import CURSOR
from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.position import previous_position
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import holding, ledger
from subscribers_app.pulling.again import Again, Page, Unplaced
from subscribers_app.pulling.clerk import Entry
from subscribers_app.remembering import KnownSubscription


def hand_out(
    entry: Entry, known: KnownSubscription, page: Page, again: Again
) -> Handed | Unread | Unplaced | Outdated | None:
    """What is written; or what has to come before, and nothing is. None: the cursor is elsewhere."""
    ahead, expired = page.ahead, page.expired
    standing = Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
    handed: Handed | Unread | Outdated | None
    if known.mode == CURSOR:
        handed = fetch(standing, ahead, expired)
    else:
        keys = ahead.keys if again.is_by_key else None
        most, now, read = again.most, entry.now, (again.is_there, again.reread)
        find = functools.partial(ledger.rows, entry.sql, entry.id, now, most, keys)
        handed = lease_next(standing, known.settings, find, ahead, most, now, expired, *read)
    if not isinstance(handed, Handed):
        return handed
    if (unplaced := again.unplaced(handed)) is not None:
        return unplaced
    write(entry, handed)
    return handed


def write(entry: Entry, handed: Handed) -> None:
    """What is about to be handed out, and what goes on record."""
    _write_skip(entry, handed.noted, handed.missed)
    if handed.lost:
        ledger.delete(entry.sql, entry.id, [row.position for row in handed.lost])
    for row in handed.lost:
        after = previous_position(row.position)
        ledger.write_undelivered(entry.sql, entry.id, "expired", after, row.position, 1)
    if handed.leased is not None:
        if changed := [*handed.leased.again, *handed.leased.dead]:
            ledger.update(entry.sql, entry.id, changed)
        if handed.leased.new:
            ledger.insert(entry.sql, entry.id, handed.leased.new)
        _write_held(entry, handed.leased)
    entry.cursor = handed.cursor
    entry.was_fetched |= handed.is_active


def _write_held(entry: Entry, leased: Leased) -> None:
    holding.write(entry.sql, entry.id, leased.held, leased.free)
    for one in leased.missed:
        ledger.write_undelivered(entry.sql, entry.id, "expired", one.after, one.upto, one.at_most)


def note(entry: Entry, expired: Expired) -> Skip | None:
    """What retention has deleted since it was noted, on record."""
    noted, missed = skip(entry.cursor.position, entry.noted, expired)
    _write_skip(entry, noted, missed)
    return missed


def _write_skip(entry: Entry, noted: Noted, missed: Skip | None) -> None:
    if noted.upto != entry.noted.upto:
        ledger.write_skip(entry.sql, entry.id, noted, missed)
        entry.noted = noted
