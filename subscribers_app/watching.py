"""All subscriptions at a glance, by PostgreSQL alone: for metrics, the home page and `manage.py status`.

No number here costs more than so many rows of an index, however many there are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from django.db import connection

from relaybase.postgres.clock import NOW_MS
from subscribers_app.pulling.holding import HAS_FAILED

MOST: Final = 5_000
"""So many subscriptions are looked at, those that were made first."""

MOST_ROWS: Final = 10_000
"""So many rows of each are counted at most."""

LATELY_SECONDS: Final = 3600

_WATCH: Final = f"""
SELECT s.id, s.name, c.channel, s.state = 'active', s.filter IS NOT NULL, s.delay_seconds, s.position,
       way.messages, held.messages, coalesce(least(nullif(way.lowest, ''), held.above), ''),
       dead.messages, parked.keys,
       CASE WHEN s.kind = 'pull' THEN
           greatest(0, extract(epoch FROM clock_timestamp() - coalesce(s.last_fetch_at, s.created_at)))
       END::float8,
       coalesce(k.handed_out, 0), coalesce(k.done, 0), coalesce(k.nacked, 0), coalesce(k.uncounted, 0),
       extract(epoch FROM clock_timestamp() - greatest(k.done_at, k.nacked_at))::float8, {NOW_MS}
FROM subscriptions AS s
JOIN channels AS c ON c.id = s.channel_id
LEFT JOIN subscription_counts AS k ON k.subscription_id = s.id
CROSS JOIN LATERAL (
    SELECT count(*) AS messages, coalesce(min(position), '') AS lowest FROM (
        SELECT position FROM deliveries WHERE subscription_id = s.id AND state <> 'dead'
        ORDER BY position LIMIT {MOST_ROWS}
    ) AS few
) AS way
CROSS JOIN LATERAL (
    SELECT coalesce(sum(messages), 0)::bigint AS messages, min(above) AS above FROM (
        SELECT messages, above FROM held_back WHERE subscription_id = s.id LIMIT {MOST_ROWS}
    ) AS few
) AS held
CROSS JOIN LATERAL (
    SELECT count(*) AS messages FROM (
        SELECT FROM deliveries WHERE subscription_id = s.id AND state = 'dead' LIMIT {MOST_ROWS}
    ) AS few
) AS dead
CROSS JOIN LATERAL (
    SELECT count(*) AS keys FROM (
        SELECT DISTINCT key FROM deliveries WHERE subscription_id = s.id AND {HAS_FAILED} LIMIT {MOST_ROWS}
    ) AS few
) AS parked
ORDER BY s.id LIMIT {MOST}
"""  # noqa: S608 -- constants, here and below

_ENDED: Final = f"""
SELECT s.id, few.cause, count(*), sum(few.messages)::bigint, bool_and(few.messages IS NOT NULL)
FROM (SELECT id FROM subscriptions ORDER BY id LIMIT {MOST}) AS s
CROSS JOIN LATERAL (
    SELECT cause, messages FROM undelivered
    WHERE subscription_id = s.id AND at > clock_timestamp() - make_interval(secs => {LATELY_SECONDS})
    ORDER BY at DESC LIMIT {MOST_ROWS}
) AS few
GROUP BY s.id, few.cause
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Watched:
    """A subscription.

    outstanding:  messages on their way
    waiting:      messages that wait for their turn; `lowest`: where the first of all these stands, "" of none
    dead:         dead letters
    parked:       keys whose message fails, in an order by a field
    idle_seconds: since somebody asked for messages, or since it was made; None: it is not pulled
    handed_out, done, nacked, uncounted: `pulling.counting`
    answered_seconds: since a reader confirmed a message, or gave one back; None: none ever did
    now:          PostgreSQL's clock, ms since 1970
    """

    id: int
    name: str
    channel: str
    is_active: bool
    is_filtered: bool
    delay_seconds: int
    position: str
    outstanding: int
    waiting: int
    lowest: str
    dead: int
    parked: int
    idle_seconds: float | None
    handed_out: int
    done: int
    nacked: int
    uncounted: int
    answered_seconds: float | None
    now: int


@dataclass(frozen=True, slots=True)
class EndedLately:
    """What ended undelivered within `LATELY_SECONDS`. messages: at most so many; None: it is not known."""

    records: int
    messages: int | None


def watch() -> list[Watched]:
    """Subscriptions, those first that were made first; at most `MOST`.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with connection.cursor() as sql:
        sql.execute(_WATCH)
        return [Watched(*row) for row in sql.fetchall()]


def ended_lately() -> Mapping[tuple[int, str], EndedLately]:
    """By key of the subscription and cause (`models.Undelivered.Cause`). May raise `django.db.Error`."""
    with connection.cursor() as sql:
        sql.execute(_ENDED)
        return {
            (id, cause): EndedLately(records, int(messages) if is_known else None)
            for id, cause, records, messages, is_known in sql.fetchall()
        }


def states() -> dict[str, int]:
    """How many subscriptions there are, by state. May raise `django.db.Error`."""
    with connection.cursor() as sql:
        sql.execute("SELECT state, count(*) FROM subscriptions GROUP BY state")
        return {"active": 0, "paused": 0, **dict(sql.fetchall())}
