"""How many messages go out of subscriptions a second, and what their readers said last.

By what web processes have counted (`pulling.counting`), which is up to five seconds old: no message is looked
at, and there are two rows of minutes for each subscription.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import connection

from subscribers_app.models import Subscription

ACK: Final = "ack"
NACK: Final = "nack"
COMMIT: Final = "commit"

_ACTIVITY: Final = """
SELECT s.id, s.mode, now.at - 60 * (now.minute - 1), coalesce(sum(m.handed_out), 0)::float8,
       CASE WHEN coalesce(sum(m.uncounted), 0) = 0 THEN coalesce(sum(m.done), 0)::float8 END,
       coalesce(sum(m.nacked), 0)::float8, k.handed_out_at, k.done_at, k.nacked_at
FROM (
    SELECT at, floor(at / 60)::bigint AS minute
    FROM (SELECT extract(epoch FROM clock_timestamp())::float8 AS at OFFSET 0) AS clock
) AS now
CROSS JOIN subscriptions AS s
LEFT JOIN subscription_counts AS k ON k.subscription_id = s.id
LEFT JOIN subscription_minutes AS m
       ON m.subscription_id = s.id AND m.minute BETWEEN now.minute - 1 AND now.minute
WHERE s.id = ANY(%s)
GROUP BY s.id, now.at, now.minute, k.subscription_id
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader said of messages, and when: `ACK`, `NACK` or `COMMIT`."""

    what: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Activity:
    """Messages a second, over the last `seconds`: the minute that goes on, and the one before.

    handed_out:    each time that one is
    done:          None: somebody has committed what another process handed out, and nobody knows how much
    handed_out_at: when that was last; None: never
    answer:        the last one; None: there was none
    """

    seconds: float
    handed_out: float
    done: float | None
    nacked: float
    handed_out_at: datetime | None
    answer: Answer | None


def of(row: Subscription) -> Activity | None:
    """Of one subscription; None: it was deleted. May raise `django.db.Error`."""
    return of_all([row]).get(row.pk)


def of_all(rows: Sequence[Subscription]) -> dict[int, Activity]:
    """Of several, by their keys; those that are there. May raise `django.db.Error`."""
    with connection.cursor() as sql:
        sql.execute(_ACTIVITY, [[row.pk for row in rows]])
        return {id: _activity(*line) for id, *line in sql.fetchall()}


def _activity(
    mode: str,
    seconds: float,
    handed_out: float,
    done: float | None,
    nacked: float,
    handed_out_at: datetime | None,
    done_at: datetime | None,
    nacked_at: datetime | None,
) -> Activity:
    said = ACK if mode == Subscription.Mode.LEASE else COMMIT
    answers = [Answer(what, at) for what, at in ((said, done_at), (NACK, nacked_at)) if at is not None]
    return Activity(
        seconds,
        handed_out / seconds,
        None if done is None else done / seconds,
        nacked / seconds,
        handed_out_at,
        max(answers, key=lambda one: one.at, default=None),
    )
