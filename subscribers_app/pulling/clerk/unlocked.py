"""Questions that are decided by rows as they were left, and written where those still stand so.

That is one statement for all who ask, so one way to PostgreSQL and back, and one fsync: no transaction is
begun and no row is read before. What may be decided so, and why that holds, is
`relaycore.delivering.unlocked`. A row that somebody else has locked is not waited for: it is as good as one
that stands otherwise.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection

from relaycore.delivering.giving import Standing
from relaycore.delivering.unlocked import Left, may_be_written
from subscribers_app.pulling.clerk.entries import Entry, Question

_STANDS: Final = (
    "s.position = w.seen_position AND s.fetched = w.seen_fetched AND s.generation = w.seen_generation "
    "AND s.noted_upto = w.noted_upto AND s.noted_messages = w.noted_messages "
    "AND (s.state = 'active') = w.is_active AND s.revision = w.revision"
)

# Of a row that has changed since the statement began PostgreSQL looks at the newest once it has locked it.
_WRITE: Final = (
    "WITH w AS (SELECT * FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::boolean[], "  # noqa: S608
    "%s::text[], %s::text[], %s::bigint[], %s::text[], %s::bigint[], %s::boolean[], %s::bigint[]) "
    "AS given (id, position, fetched, generation, was_fetched, seen_position, seen_fetched, seen_generation, "
    "noted_upto, noted_messages, is_active, revision)), "
    "held AS MATERIALIZED (SELECT s.id FROM subscriptions AS s JOIN w ON s.id = w.id "
    f"WHERE {_STANDS} ORDER BY s.id FOR NO KEY UPDATE OF s SKIP LOCKED) "
    "UPDATE subscriptions AS s SET position = w.position, fetched = w.fetched, generation = w.generation, "
    "last_fetch_at = CASE WHEN w.was_fetched THEN clock_timestamp() ELSE s.last_fetch_at END "
    "FROM held JOIN w ON w.id = held.id WHERE s.id = held.id RETURNING s.id"
)


@dataclass(frozen=True, slots=True)
class Decided:
    """By rows as they were left.

    answers: to all the questions, in their order
    seen:    how each row was left, by id
    """

    answers: Sequence[Any]
    seen: Mapping[int, Standing]
    entries: Mapping[int, Entry]


def decide(asked: Sequence[Question], left: Left) -> Decided | None:
    """What comes of these; None: one of them needs a lock, so all of them share the transaction."""
    seen: dict[int, Standing] = {}
    entries: dict[int, Entry] = {}
    answers: list[Any] = []
    for question in asked:
        entry = entries.get(question.id)
        if entry is None:
            if (standing := left.recall(question.id)) is None:
                return None
            seen[question.id] = standing
            entry = entries[question.id] = Entry(question.id, standing)
        try:
            answers.append(question.work(entry))
        except Exception:  # Whatever it is: under the lock it is known whether that is so.
            return None
    if not all(may_be_written(seen[id], entry.standing) for id, entry in entries.items()):
        return None
    return Decided(answers, seen, entries)


def write(decided: Decided) -> set[int]:
    """Write this, and commit: the ids of those that still stood so. Of the others nothing is written.

    Raises:
        django.db.Error: PostgreSQL does not answer, and nobody knows what is written.
    """
    pairs = [(decided.seen[id], entry) for id, entry in decided.entries.items()]
    with connection.cursor() as sql:
        sql.execute(
            _WRITE,
            [
                [entry.id for _, entry in pairs],
                [entry.cursor.position for _, entry in pairs],
                [entry.cursor.fetched for _, entry in pairs],
                [entry.cursor.generation for _, entry in pairs],
                [entry.was_fetched for _, entry in pairs],
                [seen.cursor.position for seen, _ in pairs],
                [seen.cursor.fetched for seen, _ in pairs],
                [seen.cursor.generation for seen, _ in pairs],
                [seen.noted.upto for seen, _ in pairs],
                [seen.noted.messages for seen, _ in pairs],
                [seen.is_active for seen, _ in pairs],
                [seen.revision for seen, _ in pairs],
            ],
        )
        return {id for (id,) in sql.fetchall()}
