"""Questions that share one transaction: rows are locked, and what comes of them is decided and written."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.utils import CursorWrapper
from psycopg2.errors import LockNotAvailable

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.unlocked import Left
from relaycore.errors import RelayError, SubscriptionUnknown
from subscribers_app.pulling import ledger
from subscribers_app.pulling.clerk.entries import ALL, Entry, Question

GONE: Final = "There is no such subscription any more."

LOCKED: Final = object()


@dataclass(frozen=True, slots=True)
class Written:
    """What comes of one transaction, and what `ledger.end` takes."""

    answers: Sequence[Any]
    cursors: Sequence[tuple[int, Cursor]]
    fetched: Set[int]
    entries: Mapping[int, Entry]


def answer(asked: Sequence[Question], left: Left, *, is_waiting: bool) -> Sequence[Any]:
    """What each is answered: an exception where it is one, `LOCKED` where nothing was done.

    Raises:
        django.db.Error: PostgreSQL does not answer, and nobody knows what was done.
    """
    for question in asked:
        left.forget(question.id)
    for is_last in (False, True):
        is_done = False
        try:
            # Not by Django's `atomic`, which goes to PostgreSQL and back for each of its statements alone.
            with connection.cursor() as sql:
                written = work(sql, asked, is_waiting=is_waiting)
                is_done = True
                ledger.end(sql, written.cursors, written.fetched)
        except (DatabaseError, InterfaceError) as exc:
            if isinstance(exc.__cause__, LockNotAvailable):
                ledger.give_up(connection)
                return [LOCKED] * len(asked)
            # What failed before the commit was not done: with another connection it may be.
            connection.close()
            if is_last or is_done:
                raise
        else:
            for id, entry in written.entries.items():
                left.leave(id, entry.standing)
            return written.answers
    raise AssertionError("not reached")


def work(sql: CursorWrapper, asked: Sequence[Question], *, is_waiting: bool) -> Written:
    """Lock what is asked for, and do what is asked; it is not committed."""
    wanted = {question.id for question in asked if question.id != ALL}
    found = ledger.begin(sql, wanted, is_skipping=not is_waiting)
    missing = wanted - found.keys()
    locked = ledger.existing(sql, missing) if missing and not is_waiting else set[int]()
    entries = {id: _entry(sql, row) for id, row in found.items()}
    answers: list[Any] = []
    for question in asked:
        entry = entries.get(question.id)
        if question.id == ALL:
            answers.append(question.work(sql))
            continue
        if entry is None:
            answers.append(LOCKED if question.id in locked else SubscriptionUnknown(GONE))
            continue
        try:
            answers.append(question.work(entry))
        except RelayError as exc:
            answers.append(exc)
    # When somebody asked last is written along, and else once a second.
    fetched = {id for id, entry in entries.items() if entry.was_fetched}
    changed = [
        (id, entry.cursor)
        for id, entry in entries.items()
        if entry.cursor != found[id].cursor or (id in fetched and not found[id].is_attended)
    ]
    return Written(answers, changed, fetched, entries)


def _entry(sql: CursorWrapper, row: ledger.Standing) -> Entry:
    standing = Standing(row.cursor, row.noted, row.is_active, row.revision)
    return Entry(row.id, standing, (sql, row.now))
