"""What senders say is taken. What was firing and goes on is one statement for all of a request."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from alerts_app.receiving.models import Transition
from relaybase.postgres.clock import NOW_MS
from relaybase.postgres.values import execute_values
from relaycore.alerting.labelled.posted import Alert
from relaycore.errors import NotTaken
from relaycore.receiving import states
from relaycore.receiving.states import State

IDLE_MS: Final = 10_000
"""A transaction whose process stands still for so long is ended, with its locks."""

_ROW: Final = "fingerprint, labels, annotations, url, starts, ends, is_timed_out, is_firing, updated"
_SAID: Final = "fingerprint, annotations, url, starts, ends, is_timed_out"

# What `states.goes_on` says; a test has both judge all there is.
_GOES_ON: Final = (
    "a.is_firing AND a.starts <= said.starts AND said.starts < a.ends AND a.ends <= said.ends "
    f"AND a.ends > {NOW_MS}"
)
# It leaves what `states.gone_on` says.
_GO_ON: Final = (
    f"WITH said ({_SAID}) AS (VALUES %s), held AS MATERIALIZED ("  # noqa: S608 -- constants, here and below
    f"SELECT a.fingerprint FROM heard_alerts AS a JOIN said USING (fingerprint) WHERE {_GOES_ON} "
    "ORDER BY a.fingerprint FOR NO KEY UPDATE OF a) "
    "UPDATE heard_alerts AS a SET annotations = said.annotations, url = said.url, ends = said.ends, "
    f"is_timed_out = said.is_timed_out, updated = {NOW_MS} "
    "FROM held JOIN said USING (fingerprint) WHERE a.fingerprint = held.fingerprint "
    # Somebody else may have had the row before: only what is so now.
    f"AND {_GOES_ON} RETURNING a.fingerprint"
)
_GO_ON_AS: Final = "(%s, %s::jsonb, %s, %s::bigint, %s::bigint, %s)"

_LATE: Final = "This has waited here for so long that its sender may have said more since. Say it again."

BEGIN: Final = f"SET LOCAL idle_in_transaction_session_timeout = {IDLE_MS}"
# It changes nothing of a row that is there, but locks it: else `ending.forget` could delete it behind this.
_HOLD: Final = (
    f"INSERT INTO heard_alerts AS a ({_ROW}) VALUES %s "  # noqa: S608
    "ON CONFLICT (fingerprint) DO UPDATE SET updated = a.updated WHERE false"
)
_READ: Final = f"SELECT {_ROW} FROM heard_alerts WHERE fingerprint = ANY(%s)"  # noqa: S608
_WRITE: Final = (
    f"UPDATE heard_alerts AS a SET labels = w.labels, annotations = w.annotations, url = w.url, "  # noqa: S608
    "starts = w.starts, ends = w.ends, is_timed_out = w.is_timed_out, is_firing = w.is_firing, "
    f"updated = w.updated FROM (VALUES %s) AS w ({_ROW}) WHERE a.fingerprint = w.fingerprint"
)
_ROW_AS: Final = "(%s, %s::jsonb, %s::jsonb, %s, %s::bigint, %s::bigint, %s, %s, %s::bigint)"


def take(alerts: Sequence[Alert], is_late: Callable[[], bool] = lambda: False) -> bool:
    """Take what one request says; whether something has changed that is to be told.

    is_late: asked once all that it changes is held

    Raises:
        NotTaken: it is late.
        django.db.Error: PostgreSQL does not answer. Nothing of it was taken, or nobody knows.
    """
    with connection.cursor() as sql:
        left = _go_on(sql, alerts)
        return bool(left) and _change(sql, left, is_late)


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


def _change(sql: CursorWrapper, alerts: Sequence[Alert], is_late: Callable[[], bool]) -> bool:
    with transaction.atomic():
        sql.execute(BEGIN)
        new = {alert.fingerprint: alert for alert in alerts}
        # In the order of the keys, so that two requests never wait for each other in a circle.
        empty = [_row(states.unknown(new[one]), 0) for one in sorted(new)]
        execute_values(sql, _HOLD, empty, template=_ROW_AS, page_size=len(empty))
        sql.execute(_READ, [list(new)])
        known = {row[0]: _state(row) for row in sql.fetchall()}
        at = now(sql)  # Once all of them are held: `states` says why.
        if is_late():
            raise NotTaken(_LATE)
        taken = states.take(known, alerts, at)
        rows = [_row(state, at) for state in taken.states.values()]
        execute_values(sql, _WRITE, rows, template=_ROW_AS, page_size=len(rows))
        note(taken.told)
    return bool(taken.told)


def now(sql: CursorWrapper) -> int:
    """PostgreSQL's clock."""
    sql.execute(f"SELECT {NOW_MS}")
    return int(sql.fetchone()[0])


def note(messages: Iterable[str]) -> None:
    """These are to be told, in this order. In the transaction that makes them true."""
    Transition.objects.bulk_create(Transition(message=message) for message in messages)


def _row(state: State, at: int) -> tuple[Any, ...]:
    alert = state.alert
    return (
        alert.fingerprint,
        _text(alert.labels),
        _text(alert.annotations),
        alert.url,
        alert.starts,
        alert.ends,
        alert.is_timed_out,
        state.is_firing,
        at,
    )


def _state(row: Sequence[Any]) -> State:
    fingerprint, labels, annotations, url, starts, ends, is_timed_out, is_firing = row[:8]
    alert = Alert(fingerprint, _decoded(labels), _decoded(annotations), url, starts, ends, is_timed_out)
    return State(alert, is_firing)


def _decoded(column: Any) -> Any:
    """Django's cursors give JSON as text."""
    return json.loads(column) if isinstance(column, str) else column


def _text(pairs: Mapping[str, str]) -> str:
    return json.dumps(dict(pairs), ensure_ascii=False)
