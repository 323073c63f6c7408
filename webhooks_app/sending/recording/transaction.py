"""The thread that writes what a sender has done, in one transaction, and looks at what is due."""

import logging
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Final

from django.db import DatabaseError, InterfaceError, connection
from django.db.backends.utils import CursorWrapper

from leases_app.leasing import Term
from relaybase.postgres.clock import NOW_MS
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Rows
from relaycore.delivering.skipping import Noted
from relaycore.errors import LeaseLost, one_line
from relaycore.sending.items import Progress
from relaycore.sending.schedule import LONGEST_MS
from subscribers_app.pulling import holding, ledger
from webhooks_app.sending.recording import rows as writing
from webhooks_app.sending.recording import seeing
from webhooks_app.sending.recording.seeing import Seen

log = logging.getLogger(__name__)

MOST: Final = 1000
"""Subscriptions in one transaction: it holds their locks."""


@dataclass(slots=True)
class Job:
    """What is to be done in one turn.

    loads: where these subscriptions stand is wanted
    steps: what is to be written, by subscription
    looks: of these subscriptions the rows are wanted, of those that are due the first `MOST_DUE`
    seen:  what is to be written of endpoints
    others: of these, too, if they have rows that are on their way; None: nobody asks
    keyed:  those of all these that are in order by a field: what waits there is wanted as well
    """

    loads: Sequence[int] = ()
    steps: Mapping[int, Progress] = field(default_factory=dict)
    looks: Collection[int] = ()
    seen: Sequence[Seen] = ()
    others: Set[int] | None = None
    keyed: Set[int] = frozenset()


@dataclass(slots=True)
class Result:
    """What came of a job.

    now:      PostgreSQL's clock, ms since 1970; 0: it was not asked
    standing: by subscription, of those that are there and that nobody else has locked
    dead_upto: of these, up to where there are dead letters above the cursor, if there are any
    recorded: the steps that are committed. What is not among them is missed
    looked:   by subscription, how it stood after that, and its rows
    seen:     the endpoints of which it is written what was seen
    is_lost:  the term is over, and nothing was written
    trouble:  why PostgreSQL does not answer; empty: it does
    """

    now: int = 0
    standing: dict[int, Standing] = field(default_factory=dict)
    dead_upto: dict[int, str] = field(default_factory=dict)
    recorded: set[int] = field(default_factory=set)
    looked: dict[int, tuple[Standing, Rows]] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)
    is_lost: bool = False
    trouble: str = ""


def record(term: Term, job: Job) -> Result:
    """Do this. It fails by what `Result` says, and raises nothing of PostgreSQL."""
    for is_last in (False, True):
        result, is_done = Result(), False
        try:
            with connection.cursor() as sql:
                cursors = _write(sql, term, job, result)
                is_done = True
                ledger.end(sql, cursors, frozenset())
                result.recorded = {id for id, _ in cursors}
                _look(sql, job, result)
                result.seen = seeing.write(sql, term, job.seen)
        except LeaseLost as exc:
            ledger.give_up(connection)
            log.warning("%s", exc)
            return Result(is_lost=True)
        except (DatabaseError, InterfaceError) as exc:
            connection.close()
            # What failed before the commit was not done: with another connection it may be.
            if is_last or is_done:
                log.warning("deliveries are not recorded: %s", one_line(exc))
                result.trouble = f"PostgreSQL does not answer: {one_line(exc)}"
                return result
        else:
            return result
    raise AssertionError("not reached")


def _write(sql: CursorWrapper, term: Term, job: Job, result: Result) -> list[tuple[int, Cursor]]:
    found = ledger.begin(sql, {*job.loads, *job.steps}, is_skipping=True)
    _require_term(sql, term)
    cursors: list[tuple[int, Cursor]] = []
    for id, standing in found.items():
        result.now = standing.now
        step = job.steps.get(id)
        if step is None:
            result.standing[id] = Standing(
                standing.cursor, standing.noted, standing.is_active, standing.revision
            )
        elif standing.cursor.stands_as(step.seen) and standing.revision == step.revision:
            writing.write(sql, id, step)
            cursors.append((id, step.cursor))
    result.dead_upto = _dead_above(sql, result.standing)
    return cursors


def _dead_above(sql: CursorWrapper, standing: Mapping[int, Standing]) -> dict[int, str]:
    """Of those that have been sought back: up to where there are dead letters above the cursor."""
    if not standing:
        return {}
    sql.execute(
        "SELECT d.subscription_id, max(d.position) FROM deliveries AS d "
        "JOIN unnest(%s::bigint[], %s::text[]) AS s (id, position) "
        "ON d.subscription_id = s.id AND d.position > s.position WHERE d.state = 'dead' GROUP BY 1",
        [list(standing), [one.cursor.position for one in standing.values()]],
    )
    return dict(sql.fetchall())


def _require_term(sql: CursorWrapper, term: Term) -> None:
    """As it begins; who claims it meanwhile finds the cursor moved, or moves it and is missed by us."""
    sql.execute(
        "SELECT FROM leases WHERE role = %s AND partition = %s AND slot = %s AND epoch = %s AND holder = %s",
        [term.role, term.partition, term.slot, term.epoch, term.holder],
    )
    if sql.fetchone() is None:
        raise LeaseLost(f"{term}: the term is over.")


_SURVEY: Final = (
    "SELECT s.id, s.position, s.fetched, s.generation, s.noted_upto, s.noted_messages, "  # noqa: S608
    "s.state = 'active', "
    "s.revision, coalesce(d.outstanding, 0), coalesce(d.lowest, ''), coalesce(d.due, 0), now.ms "
    f"FROM (SELECT {NOW_MS} AS ms) AS now, subscriptions AS s LEFT JOIN LATERAL ("
    "SELECT count(*) AS outstanding, min(position) AS lowest, "
    "count(*) FILTER (WHERE due_at <= now.ms OR due_at > now.ms + %s) AS due "
    "FROM deliveries WHERE subscription_id = s.id AND state <> 'dead') AS d ON true WHERE s.id = ANY(%s)"
)


# From one subscription to the next in the index, and not from row to row.
_WITH_ROWS: Final = (
    "WITH RECURSIVE found AS ((SELECT subscription_id AS id FROM deliveries "  # noqa: S608
    "WHERE state <> 'dead' "
    "ORDER BY subscription_id LIMIT 1) UNION ALL SELECT (SELECT subscription_id FROM deliveries "
    "WHERE state <> 'dead' AND subscription_id > found.id ORDER BY subscription_id LIMIT 1) "
    f"FROM found WHERE found.id IS NOT NULL) SELECT {NOW_MS}, array_remove(array_agg(id), NULL) FROM found"
)

MOST_DUE: Final = 256
"""Rows of one subscription that are taken at one look."""


def _look(sql: CursorWrapper, job: Job, result: Result) -> None:
    """How the rows stand, and the subscriptions at the same moment."""
    looks = set(job.looks)
    if not looks and job.others is None:
        return
    sql.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    if job.others is not None:
        sql.execute(_WITH_ROWS)
        result.now, found = sql.fetchone()
        looks |= job.others & set(found or ())
    sql.execute(_SURVEY, [LONGEST_MS, sorted(looks)])
    for id, position, fetched, generation, upto, messages, *others in sql.fetchall():
        is_active, revision, outstanding, lowest, due, now = others
        result.now = now
        cursor = Cursor(position, fetched, generation)
        rows = Rows((), outstanding, lowest)
        if id in job.keyed:
            rows = _by_key(sql, id, now)
        elif due:
            rows = ledger.rows(sql, id, now, MOST_DUE, longest_ms=LONGEST_MS)
        result.looked[id] = Standing(cursor, Noted(upto, messages), is_active, revision), rows
    sql.execute("COMMIT")


def _by_key(sql: CursorWrapper, id: int, now: int) -> Rows:
    """Of each key what is due first; and of all keys what is on its way, and what waits."""
    rows = ledger.rows(sql, id, now, MOST_DUE, (), LONGEST_MS)
    sql.execute(
        "SELECT position, key FROM deliveries WHERE subscription_id = %s AND state <> 'dead' AND key <> ''",
        [id],
    )
    keys = dict(sql.fetchall())
    return replace(rows, keys=keys, held={one.key: one for one in holding.all_of(sql, id)})
