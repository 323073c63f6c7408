"""Rows of deliveries as a sender writes them: only as it has found them. In a transaction, after the lock."""

from collections.abc import Sequence

from django.db.backends.utils import CursorWrapper

from relaybase.postgres.values import execute_values
from relaycore.delivering.leasing import Delivery, State
from relaycore.position import previous_position
from relaycore.sending.items import EXPIRED, Lost, Progress
from subscribers_app import ended
from subscribers_app.pulling import holding, ledger


def write(sql: CursorWrapper, id: int, progress: Progress) -> None:
    """All of this step but for where the cursor stands."""
    ended.tell_of_the_first(sql, id, [*progress.new, *progress.changed])
    if progress.noted is not None:
        ledger.write_skip(sql, id, progress.noted, None)
    for skip in progress.missed:
        ledger.write_undelivered(sql, id, "retention", skip.after, skip.upto, skip.at_most)
    for aged in progress.aged:
        ledger.write_undelivered(sql, id, "age", aged.after, aged.upto, aged.messages)
    _write_keys(sql, id, progress)
    if progress.new:
        _insert(sql, id, progress.new)
    if progress.changed:
        _change(sql, id, progress.changed)
    if progress.done:
        _delete(sql, id, progress.done)
    if progress.risen:
        sql.execute(
            "DELETE FROM deliveries WHERE subscription_id = %s AND position = ANY(%s) AND state = 'dead'",
            [id, list(progress.risen)],
        )
    if progress.lost:
        _lose(sql, id, progress.lost)


def _write_keys(sql: CursorWrapper, id: int, progress: Progress) -> None:
    """What waits for its turn, in order by a field."""
    for waited in progress.waited:
        ledger.write_undelivered(sql, id, EXPIRED, waited.after, waited.upto, waited.at_most)
    if progress.held or progress.free:
        holding.write(sql, id, progress.held, progress.free)


def _insert(sql: CursorWrapper, id: int, new: Sequence[Delivery]) -> None:
    """After a seek there may be a dead letter of the same message, which was sent anew."""
    execute_values(
        sql,
        "INSERT INTO deliveries (subscription_id, position, message_id, state, attempt, due_at, deadline_at, "
        "why, before, key, batch, died_at) VALUES %s ON CONFLICT (subscription_id, position) DO UPDATE SET "
        "state = excluded.state, attempt = excluded.attempt, due_at = excluded.due_at, deadline_at = 0, "
        "before = 0, key = excluded.key, batch = excluded.batch, why = excluded.why, "
        "died_at = excluded.died_at "
        "WHERE deliveries.state = 'dead'",
        [
            (
                *(id, one.position, one.id, one.state.value, one.attempt, one.due_at, one.why, one.key),
                *(one.batch, one.state.value),
            )
            for one in new
        ],
        template="(%s, %s, %s, %s, %s, %s, 0, %s, 0, %s, %s, "
        "CASE WHEN %s = 'dead' THEN clock_timestamp() END)",
        page_size=1000,
    )


def _change(sql: CursorWrapper, id: int, changed: Sequence[Delivery]) -> None:
    execute_values(
        sql,
        "UPDATE deliveries AS d SET state = v.state, attempt = v.attempt, due_at = v.due_at, "  # noqa: S608
        "deadline_at = 0, why = v.why, batch = v.batch, "
        "died_at = CASE WHEN v.state = 'dead' THEN clock_timestamp() END "
        "FROM (VALUES %s) AS v (position, state, attempt, due_at, why, batch) "
        f"WHERE d.subscription_id = {int(id)} AND d.position = v.position "
        "AND d.attempt = v.attempt - 1 AND d.state <> 'dead'",
        [(one.position, one.state.value, one.attempt, one.due_at, one.why, one.batch) for one in changed],
        page_size=1000,
    )


def _delete(sql: CursorWrapper, id: int, rows: Sequence[Delivery]) -> set[str]:
    """Which of them were there to go."""
    sql.execute(
        "DELETE FROM deliveries AS d USING unnest(%s::text[], %s::bigint[]) AS v (position, attempt) "
        "WHERE d.subscription_id = %s AND d.position = v.position AND d.attempt = v.attempt "
        "AND d.state <> %s RETURNING d.position",
        [[one.position for one in rows], [one.attempt for one in rows], id, State.DEAD.value],
    )
    return {position for (position,) in sql.fetchall()}


def _lose(sql: CursorWrapper, id: int, lost: Sequence[Lost]) -> None:
    gone = _delete(sql, id, [one.row for one in lost])
    for one in lost:
        if one.row.position in gone:
            after = previous_position(one.row.position)
            ledger.write_undelivered(sql, id, one.cause, after, one.row.position, 1)
