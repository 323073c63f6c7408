"""Cursors and deliveries in PostgreSQL: rows in, rows out, nothing is decided here.

Whatever writes, or decides by what it reads, is called in a transaction, after `lock`.
"""

from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Any, Final

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.utils import CursorWrapper

from relaybase.postgres.clock import NOW_MS
from relaybase.postgres.values import execute_values
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import LONGEST_MS, Delivery, Rows, State
from relaycore.delivering.skipping import Noted, Skip
from subscribers_app import ended
from subscribers_app.pulling import holding

_COLUMNS = "position, message_id, state, attempt, due_at, deadline_at, why, before, key, batch"

_ON_THEIR_WAY: Final = "subscription_id = %s AND state <> 'dead'"

# As `relaycore.delivering.leasing.first_of_each_key` has it.
_IS_FIRST: Final = (
    "(key = '' OR NOT EXISTS (SELECT FROM deliveries AS other "
    "WHERE other.subscription_id = d.subscription_id AND other.state <> 'dead' AND other.key <> '' "
    "AND other.key = d.key AND other.position < d.position))"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription's row, locked.

    now:         PostgreSQL's clock, ms since 1970
    is_attended: somebody has asked for messages in the last second, and that is written
    """

    id: int
    cursor: Cursor
    noted: Noted
    is_active: bool
    revision: int
    now: int
    is_attended: bool


IDLE_MS: Final = 10_000
LOCK_MS: Final = 200

_BEGIN: Final = (
    f"BEGIN; SET LOCAL lock_timeout = {LOCK_MS}; SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}; "
)

# The time is that after the lock: whoever had it has written times that are not later.
_LOCK: Final = (
    "WITH locked AS MATERIALIZED ("  # noqa: S608 -- constants
    "SELECT id, position, fetched, generation, noted_upto, noted_messages, state, revision, last_fetch_at "
    "FROM subscriptions WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE{skipping}) "
    "SELECT id, position, fetched, generation, noted_upto, noted_messages, state = 'active', revision, "
    f"{NOW_MS}, coalesce(last_fetch_at BETWEEN clock_timestamp() - interval '1 second' "
    "AND clock_timestamp(), false) FROM locked"
)


def lock(sql: CursorWrapper, ids: Iterable[int]) -> dict[int, Standing]:
    """Lock these subscriptions, in the order of their ids; those that are there."""
    return _lock(sql, _LOCK.format(skipping=""), ids)


def begin(sql: CursorWrapper, ids: Set[int], *, is_skipping: bool) -> dict[int, Standing]:
    """Begin a transaction, and `lock` in it, in one question.

    No lock is waited for longer than `LOCK_MS` in this transaction. It is ended, with its locks, if this
    process stands still for `IDLE_MS` in the middle of it.

    is_skipping: those that somebody else has locked are left out
    """
    if not ids:
        sql.execute(_BEGIN)
        return {}
    return _lock(sql, _BEGIN + _LOCK.format(skipping=" SKIP LOCKED" if is_skipping else ""), ids)


def end(sql: CursorWrapper, cursors: Sequence[tuple[int, Cursor]], fetched: Set[int]) -> None:
    """Write where these stand from now on, and commit, in one question. As `write_cursors`."""
    if cursors:
        write_cursors(sql, cursors, fetched, "; COMMIT")
    else:
        sql.execute("COMMIT")


def give_up(connection: BaseDatabaseWrapper) -> None:
    """End a transaction of `begin`; nothing of it is done."""
    with connection.cursor() as sql:
        sql.execute("ROLLBACK")


def _lock(sql: CursorWrapper, statement: str, ids: Iterable[int]) -> dict[int, Standing]:
    sql.execute(statement, [sorted(set(ids))])
    return {
        id: Standing(id, Cursor(position, fetched, generation), Noted(upto, messages), *others)
        for id, position, fetched, generation, upto, messages, *others in sql.fetchall()
    }


def existing(sql: CursorWrapper, ids: Iterable[int]) -> set[int]:
    """Which of these there are, locked or not."""
    sql.execute("SELECT id FROM subscriptions WHERE id = ANY(%s)", [sorted(set(ids))])
    return {id for (id,) in sql.fetchall()}


def write_cursors(
    sql: CursorWrapper,
    cursors: Sequence[tuple[int, Cursor]],
    fetched: Set[int] = frozenset(),
    then: str = "",
) -> None:
    """Where these subscriptions stand from now on. `fetched`: which were asked for messages just now."""
    sql.execute(
        "UPDATE subscriptions AS s SET position = v.position, fetched = v.fetched, "  # noqa: S608
        "generation = v.generation, "
        "last_fetch_at = CASE WHEN v.was_fetched THEN clock_timestamp() ELSE s.last_fetch_at END "
        "FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::boolean[]) "
        "AS v (id, position, fetched, generation, was_fetched) WHERE s.id = v.id" + then,
        [
            [id for id, _ in cursors],
            [cursor.position for _, cursor in cursors],
            [cursor.fetched for _, cursor in cursors],
            [cursor.generation for _, cursor in cursors],
            [id in fetched for id, _ in cursors],
        ],
    )


def write_skip(sql: CursorWrapper, id: int, noted: Noted, skip: Skip | None) -> None:
    """What is known of what retention has deleted, and what was missed by it."""
    sql.execute(
        "UPDATE subscriptions SET noted_upto = %s, noted_messages = %s WHERE id = %s",
        [noted.upto, noted.messages, id],
    )
    if skip is not None:
        write_undelivered(sql, id, "retention", skip.after, skip.upto, skip.at_most)


def write_undelivered(
    sql: CursorWrapper, id: int, cause: str, after: str, upto: str, messages: int | None
) -> None:
    """Put on record what is handed out no more."""
    sql.execute(
        "INSERT INTO undelivered (subscription_id, cause, after, upto, messages) VALUES (%s, %s, %s, %s, %s)",
        [id, cause, after, upto, messages],
    )


def rows(
    sql: CursorWrapper,
    id: int,
    now: int,
    most: int,
    keys: Collection[str] | None = None,
    longest_ms: int = LONGEST_MS,
) -> Rows:
    """What is on its way: of what is due the lowest, at most so many, but of a batch all.

    keys: of what may be leased for the first time; None: there is no order by a field, and nothing waits
    longest_ms: no row of its kind is due later
    """
    sql.execute(
        f"SELECT count(*), coalesce(min(position), '') FROM deliveries WHERE {_ON_THEIR_WAY}",  # noqa: S608
        [id],
    )
    outstanding, lowest = sql.fetchone()
    due: list[Delivery] = []
    if outstanding:
        first = "" if keys is None else f"AND {_IS_FIRST} "
        sql.execute(
            f"SELECT {_COLUMNS} FROM deliveries AS d "  # noqa: S608 -- constants, here and below
            f"WHERE {_ON_THEIR_WAY} AND (due_at <= %s OR due_at > %s) {first}ORDER BY position LIMIT %s",
            [id, now, now + longest_ms, most],
        )
        due = [_delivery(row) for row in sql.fetchall()]
        if len(due) == most and (cut := {one.batch for one in due if one.batch}):
            sql.execute(
                f"SELECT {_COLUMNS} FROM deliveries "  # noqa: S608
                f"WHERE {_ON_THEIR_WAY} AND (due_at <= %s OR due_at > %s) AND position > %s "
                "AND batch = ANY(%s) ORDER BY position",
                [id, now, now + longest_ms, due[-1].position, sorted(cut)],
            )
            due += [_delivery(row) for row in sql.fetchall()]
    if keys is None:
        return Rows(due, outstanding, lowest)
    waiting = holding.waiting(sql, id, keys, most)
    return Rows(due, outstanding + waiting.opened, lowest, waiting.busy, waiting.held, waiting.open)


@dataclass(frozen=True, slots=True)
class Glance:
    """Where a subscription stands, and whether something on its way is due, or a key is open."""

    cursor: Cursor
    is_active: bool
    revision: int
    is_due: bool


def glance(sql: CursorWrapper, ids: Iterable[int]) -> dict[int, Glance]:
    """Of these subscriptions, without a lock; those that are there."""
    sql.execute(
        "SELECT id, position, fetched, generation, state = 'active', revision, "  # noqa: S608
        "EXISTS (SELECT FROM deliveries "
        "WHERE subscription_id = s.id AND state <> 'dead' "
        f"AND (due_at <= {NOW_MS} OR due_at > {NOW_MS} + %s)) "
        f"OR EXISTS (SELECT FROM held_back AS h WHERE subscription_id = s.id AND {holding.IS_OPEN}) "
        "FROM subscriptions AS s WHERE id = ANY(%s)",
        [LONGEST_MS, sorted(set(ids))],
    )
    return {
        id: Glance(Cursor(position, fetched, generation), *others)
        for id, position, fetched, generation, *others in sql.fetchall()
    }


def find(sql: CursorWrapper, id: int, positions: Iterable[str]) -> dict[str, Delivery]:
    """The rows of these messages, by position."""
    sql.execute(
        f"SELECT {_COLUMNS} FROM deliveries "  # noqa: S608
        "WHERE subscription_id = %s AND position = ANY(%s) ORDER BY position",
        [id, sorted(set(positions))],
    )
    return {row[0]: _delivery(row) for row in sql.fetchall()}


def insert(sql: CursorWrapper, id: int, new: Sequence[Delivery]) -> None:
    """Rows of messages that had none, or after a seek that of a dead letter, which is handed out anew."""
    execute_values(
        sql,
        f"INSERT INTO deliveries (subscription_id, {_COLUMNS}) VALUES %s "  # noqa: S608
        "ON CONFLICT (subscription_id, position) DO UPDATE SET state = excluded.state, "
        "attempt = excluded.attempt, due_at = excluded.due_at, deadline_at = excluded.deadline_at, "
        "before = excluded.before, key = excluded.key, batch = excluded.batch, why = '', died_at = NULL "
        "WHERE deliveries.state = 'dead'",
        [(id, *_row(one)) for one in new],
        page_size=1000,
    )


def update(sql: CursorWrapper, id: int, changed: Sequence[Delivery]) -> None:
    """What these rows are from now on."""
    ended.tell_of_the_first(sql, id, changed)
    execute_values(
        sql,
        "UPDATE deliveries AS d SET state = v.state, attempt = v.attempt, due_at = v.due_at, "  # noqa: S608
        "deadline_at = v.deadline_at, why = v.why, before = v.before, batch = v.batch, "
        "died_at = CASE WHEN v.state = 'dead' THEN clock_timestamp() END "
        f"FROM (VALUES %s) AS v ({_COLUMNS}) "
        f"WHERE d.subscription_id = {int(id)} AND d.position = v.position",
        [_row(one) for one in changed],
        page_size=1000,
    )


def delete(sql: CursorWrapper, id: int, positions: Iterable[str]) -> None:
    """These are done, or on record."""
    sql.execute(
        "DELETE FROM deliveries WHERE subscription_id = %s AND position = ANY(%s)",
        [id, sorted(set(positions))],
    )


def delete_on_their_way(sql: CursorWrapper, id: int) -> None:
    """Whatever is not dead, and what waits: a seek begins anew. Dead letters stay."""
    sql.execute(f"DELETE FROM deliveries WHERE {_ON_THEIR_WAY}", [id])  # noqa: S608 -- a constant
    holding.delete(sql, id)


def _delivery(row: tuple[Any, ...]) -> Delivery:
    position, id, state, *others = row
    return Delivery(position, bytes(id), State(state), *others)


def _row(one: Delivery) -> tuple[Any, ...]:
    return (
        one.position,
        one.id,
        one.state.value,
        one.attempt,
        one.due_at,
        one.deadline_at,
        one.why,
        one.before,
        one.key,
        one.batch,
    )
