"""What senders say is taken. What was firing and goes on is one statement for all of a request."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from alerts_app.receiving.models import Transition
from relaybase.postgres.clock import NOW_MS
from relaybase.postgres.values import execute_values
from relaycore.alerting.labelled import posted, transitions
from relaycore.alerting.labelled.posted import Alert

IDLE_MS: Final = 10_000
"""A transaction whose process stands still for so long is ended, with its locks."""

_ROW: Final = "fingerprint, labels, annotations, url, starts, ends, is_timed_out, is_firing, updated"
_SAID: Final = "fingerprint, annotations, url, starts, ends, is_timed_out"

# What goes on: it began within what is known, and ends no earlier. That is what `posted.merged` says of it.
_GO_ON: Final = (
    f"WITH said ({_SAID}) AS (VALUES %s), held AS MATERIALIZED ("  # noqa: S608 -- constants, here and below
    "SELECT a.fingerprint FROM heard_alerts AS a JOIN said USING (fingerprint) WHERE a.is_firing "
    "AND a.starts <= said.starts AND said.starts < a.ends AND a.ends <= said.ends "
    f"AND a.ends > {NOW_MS} ORDER BY a.fingerprint FOR NO KEY UPDATE OF a) "
    "UPDATE heard_alerts AS a SET annotations = said.annotations, url = said.url, ends = said.ends, "
    f"is_timed_out = said.is_timed_out, updated = {NOW_MS} "
    "FROM held JOIN said USING (fingerprint) WHERE a.fingerprint = held.fingerprint "
    # Somebody else may have had the row before: only what is so now.
    "AND a.is_firing AND a.starts <= said.starts AND said.starts < a.ends AND a.ends <= said.ends "
    "RETURNING a.fingerprint"
)
_GO_ON_AS: Final = "(%s, %s::jsonb, %s, %s::bigint, %s::bigint, %s)"

_BEGIN: Final = f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}"
_MAKE: Final = f"INSERT INTO heard_alerts ({_ROW}) VALUES %s ON CONFLICT (fingerprint) DO NOTHING"  # noqa: S608
_LOCK: Final = (
    f"WITH held AS MATERIALIZED (SELECT {_ROW} FROM heard_alerts WHERE fingerprint = ANY(%s) "  # noqa: S608
    f"ORDER BY fingerprint FOR NO KEY UPDATE) SELECT {_ROW}, {NOW_MS} FROM held"
)
_WRITE: Final = (
    f"UPDATE heard_alerts AS a SET labels = w.labels, annotations = w.annotations, url = w.url, "  # noqa: S608
    "starts = w.starts, ends = w.ends, is_timed_out = w.is_timed_out, is_firing = w.is_firing, "
    f"updated = w.updated FROM (VALUES %s) AS w ({_ROW}) WHERE a.fingerprint = w.fingerprint"
)
_ROW_AS: Final = "(%s, %s::jsonb, %s::jsonb, %s, %s::bigint, %s::bigint, %s, %s, %s::bigint)"


def take(alerts: Sequence[Alert]) -> bool:
    """Take what one request says; whether something has changed that is to be told.

    Raises:
        django.db.Error: PostgreSQL does not answer. Nothing of it was taken, or nobody knows.
    """
    with connection.cursor() as sql:
        left = _go_on(sql, alerts)
        return bool(left) and _change(sql, left)


def _go_on(sql: CursorWrapper, alerts: Sequence[Alert]) -> Sequence[Alert]:
    """Those that do not go on as they did."""
    if not alerts or len({alert.fingerprint for alert in alerts}) < len(alerts):
        return alerts  # Of one of them more was said: in its order.
    rows = [
        (
            alert.fingerprint,
            _text(alert.annotations),
            alert.url,
            alert.starts,
            alert.ends,
            alert.is_timed_out,
        )
        for alert in alerts
    ]
    found = execute_values(sql, _GO_ON, rows, template=_GO_ON_AS, page_size=len(rows), fetch=True)
    done = {fingerprint for (fingerprint,) in found}
    return [alert for alert in alerts if alert.fingerprint not in done]


def _change(sql: CursorWrapper, alerts: Sequence[Alert]) -> bool:
    with transaction.atomic():
        sql.execute(_BEGIN)
        # In the order of the keys, so that two requests never wait for each other in a circle.
        new = {alert.fingerprint: alert for alert in alerts}
        empty = [_row(new[one], at=0, is_firing=False, ends=0) for one in sorted(new)]
        execute_values(sql, _MAKE, empty, template=_ROW_AS, page_size=len(empty))
        sql.execute(_LOCK, [sorted(new)])
        held = sql.fetchall()
        at = held[0][-1]
        known = {row[0]: (_alert(row), bool(row[7])) for row in held}
        told = []
        for said in alerts:
            before, was_firing = known[said.fingerprint]
            alert = posted.merged(before, said, at)
            is_firing = not alert.is_resolved(at)
            if is_firing is not was_firing:
                told.append(transitions.message(alert, is_firing=is_firing))
            known[said.fingerprint] = alert, is_firing
        rows = [_row(alert, at=at, is_firing=is_firing) for alert, is_firing in known.values()]
        execute_values(sql, _WRITE, rows, template=_ROW_AS, page_size=len(rows))
        note(told)
    return bool(told)


def note(messages: Iterable[str]) -> None:
    """These are to be told, in this order. In the transaction that makes them true."""
    Transition.objects.bulk_create(Transition(message=message) for message in messages)


def _row(alert: Alert, *, at: int, is_firing: bool, ends: int | None = None) -> tuple[Any, ...]:
    return (
        alert.fingerprint,
        _text(alert.labels),
        _text(alert.annotations),
        alert.url,
        alert.starts,
        alert.ends if ends is None else ends,
        alert.is_timed_out,
        is_firing,
        at,
    )


def _alert(row: Sequence[Any]) -> Alert:
    fingerprint, labels, annotations, url, starts, ends, is_timed_out = row[:7]
    return Alert(fingerprint, _decoded(labels), _decoded(annotations), url, starts, ends, is_timed_out)


def _decoded(column: Any) -> Any:
    """Django's cursors give JSON as text."""
    return json.loads(column) if isinstance(column, str) else column


def _text(pairs: Mapping[str, str]) -> str:
    return json.dumps(dict(pairs), ensure_ascii=False)
