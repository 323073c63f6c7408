"""What a fetch has decided (`relaycore.delivering.giving`), written in the transaction of the decision."""

from relaycore.delivering.giving import Handed
from relaycore.delivering.leasing import Leased
from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.position import previous_position
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import holding, ledger
from subscribers_app.pulling.clerk import Entry


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
