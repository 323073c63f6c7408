"""What nobody has said any more is over, and what has been over for long is forgotten."""

from typing import Final

from django.db import connection, transaction

from alerts_app.receiving.models import HeardAlert
from alerts_app.receiving.posting import BEGIN, note, now
from relaybase.postgres.clock import NOW_MS
from relaycore.alerting.labelled.posted import Alert
from relaycore.receiving import states
from relaycore.receiving.states import KEPT_MS, State

AT_ONCE: Final = 500
"""So many are ended in one transaction."""

# What is over, as `states.is_over` says.
_END: Final = (
    "WITH over AS MATERIALIZED (SELECT fingerprint FROM heard_alerts "  # noqa: S608 -- constants
    "WHERE is_firing AND ends <= %s ORDER BY fingerprint LIMIT %s FOR NO KEY UPDATE SKIP LOCKED) "
    f"UPDATE heard_alerts AS a SET is_firing = false, updated = {NOW_MS} FROM over "
    "WHERE a.fingerprint = over.fingerprint AND a.is_firing "
    # Whoever had the row before may have moved its end.
    "AND a.ends <= %s RETURNING a.fingerprint"
)
# What is forgotten, as `states.is_forgotten` says.
_FORGET: Final = (
    "DELETE FROM heard_alerts WHERE fingerprint IN (SELECT fingerprint FROM heard_alerts "  # noqa: S608
    f"WHERE NOT is_firing AND updated < {NOW_MS} - {KEPT_MS} LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)"
)


def moment() -> int:
    """Now, by PostgreSQL's clock: what has ended by then may be ended if somebody has heard up to then.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with connection.cursor() as sql:
        return now(sql)


def end(at: int) -> int:
    """End what was over at this moment; how many. What is to be told of it waits then.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(BEGIN)
        sql.execute(_END, [at, AT_ONCE, at])
        ended = sorted(fingerprint for (fingerprint,) in sql.fetchall())
        rows = HeardAlert.objects.in_bulk(ended)
        note(states.end(_state_of(rows[one]))[1] for one in ended)
    return len(ended)


def forget() -> int:
    """Delete what has been over for long; how many.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with connection.cursor() as sql:
        sql.execute(_FORGET)
        return int(sql.rowcount)


def _state_of(row: HeardAlert) -> State:
    alert = Alert(
        row.fingerprint, row.labels, row.annotations, row.url, row.starts, row.ends, row.is_timed_out
    )
    return State(alert, row.is_firing)
