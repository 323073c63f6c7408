"""What nobody has said any more is over, and what has been over for long is forgotten."""

from typing import Final

from django.db import connection, transaction

from alerts_app.receiving.models import HeardAlert
from alerts_app.receiving.posting import IDLE_MS, note
from relaybase.postgres.clock import NOW_MS
from relaycore.alerting.labelled import transitions
from relaycore.alerting.labelled.posted import Alert

AT_ONCE: Final = 500
"""So many are ended in one transaction."""

KEPT_MS: Final = 3_600_000
"""So long after its end an alert is known: senders repeat the end for a quarter of an hour."""

_BEGIN: Final = f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}"
_END: Final = (
    "WITH over AS MATERIALIZED (SELECT fingerprint FROM heard_alerts "  # noqa: S608 -- constants
    f"WHERE is_firing AND ends <= {NOW_MS} ORDER BY fingerprint LIMIT {AT_ONCE} "
    "FOR NO KEY UPDATE SKIP LOCKED) "
    f"UPDATE heard_alerts AS a SET is_firing = false, updated = {NOW_MS} FROM over "
    "WHERE a.fingerprint = over.fingerprint AND a.is_firing "
    # Whoever had the row before may have moved its end.
    f"AND a.ends <= {NOW_MS} RETURNING a.fingerprint"
)
_FORGET: Final = (
    "DELETE FROM heard_alerts WHERE fingerprint IN (SELECT fingerprint FROM heard_alerts "  # noqa: S608
    f"WHERE NOT is_firing AND updated < {NOW_MS} - {KEPT_MS} LIMIT {AT_ONCE} FOR UPDATE SKIP LOCKED)"
)


def end() -> int:
    """End what is over; how many. What is to be told of it waits then.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic(), connection.cursor() as sql:
        sql.execute(_BEGIN)
        sql.execute(_END)
        ended = sorted(fingerprint for (fingerprint,) in sql.fetchall())
        rows = HeardAlert.objects.in_bulk(ended)
        note(transitions.message(alert_of(rows[one]), is_firing=False) for one in ended)
    return len(ended)


def forget() -> int:
    """Delete what has been over for long; how many.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with connection.cursor() as sql:
        sql.execute(_FORGET)
        return int(sql.rowcount)


def alert_of(row: HeardAlert) -> Alert:
    """What is known of it."""
    return Alert(
        row.fingerprint, row.labels, row.annotations, row.url, row.starts, row.ends, row.is_timed_out
    )
