"""How far behind a subscription is: the messages above its cursor, those on their way, and those that wait.

MongoDB counts them in its index, so many at most and for so long at most. With a filter it is a bound: which
of them are wanted shows only when they are read. So it is where messages wait for their turn: what retention
has deleted of them shows when they are read again.
"""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.db import connection
from pymongo.errors import PyMongoError

from messages_app.searching import counting, watermark
from messages_app.searching.counting import Count
from relaybase.postgres.clock import NOW_MS
from relaycore.channels import partition_of
from relaycore.errors import one_line
from relaycore.position import milliseconds_of
from relaycore.storing import known
from subscribers_app.models import Subscription

log = logging.getLogger(__name__)

MOST: Final = 10_000
"""So many messages are counted."""

MOST_IN_A_LIST: Final = 1_000
SECONDS: Final = 2.0

_STANDING: Final = f"""
SELECT s.id, s.position, count(d.position), h.messages, coalesce(least(min(d.position), h.above), ''),
       {NOW_MS}
FROM subscriptions AS s
LEFT JOIN deliveries AS d ON d.subscription_id = s.id AND d.state <> 'dead'
CROSS JOIN LATERAL (
    SELECT coalesce(sum(messages), 0)::bigint AS messages, min(above) AS above
    FROM held_back WHERE subscription_id = s.id
) AS h
WHERE s.id = ANY(%s) GROUP BY s.id, s.position, h.messages, h.above
"""  # noqa: S608 -- a constant


@dataclass(frozen=True, slots=True)
class Lag:
    """What is not done yet.

    messages:    so many
    is_exact:    else there may be more than were counted, or fewer, with a filter or where some wait
    age_seconds: since the oldest of them was put on the stream; None: there is none
    """

    messages: int
    is_exact: bool
    age_seconds: float | None

    def overdue_seconds(self, delay_seconds: int) -> float:
        """For how long the oldest of them could have been handed out, where that is put off for so long."""
        return max(0.0, (self.age_seconds or 0.0) - delay_seconds)


@dataclass(frozen=True, slots=True)
class Between:
    """The messages between two positions.

    is_exact: it is this number
    is_bound: it is not more
    """

    messages: int
    is_exact: bool
    is_bound: bool


def of(row: Subscription, most: int = MOST) -> Lag:
    """Of one subscription.

    Raises:
        pymongo.errors.PyMongoError: MongoDB does not answer, or not in time.
    """
    return _lag(row, _standing([row])[row.pk], most, SECONDS)


def of_all(rows: Sequence[Subscription], most: int = MOST_IN_A_LIST) -> dict[int, Lag | None]:
    """Of several, by their keys. None: it could not be learnt within `SECONDS` for all together."""
    standing, found = _standing(rows), dict[int, Lag | None]()
    end = time.monotonic() + SECONDS
    for row in rows:
        left, here = end - time.monotonic(), standing.get(row.pk)
        found[row.pk] = None
        if left <= 0 or here is None:
            continue
        try:
            found[row.pk] = _lag(row, here, most, left)
        except PyMongoError as exc:
            log.warning("how far subscriptions are behind is not known: %s", one_line(exc))
            end = 0.0
    return found


def reckon(above: Count, outstanding: int, waiting: int, lowest: str, now: int, *, is_filtered: bool) -> Lag:
    """From what is above a cursor, how many are on their way or wait, the lowest of these, and the time."""
    oldest = min((one for one in (lowest, above.first) if one), default="")
    age = max(0, now - milliseconds_of(oldest)) / 1000 if oldest else None
    is_exact = above.is_all and not waiting and (not is_filtered or not above.messages)
    return Lag(above.messages + outstanding + waiting, is_exact, age)


def between(row: Subscription, above: str, upto: str) -> Between:
    """How many messages of its channel stand above a position, up to another one.

    Raises:
        pymongo.errors.PyMongoError: MongoDB does not answer, or not in time.
    """
    # Before MongoDB is asked: what is below the watermark then is there.
    beside = watermark.ask(partition_of(row.channel.channel, settings.RELAY_PARTITIONS))
    is_stored = beside is not None and not known.lacks(beside) and upto < known.watermark(beside)
    if upto <= above:
        return Between(0, True, True)
    found = counting.count(row.channel.channel, above, upto, most=MOST, seconds=SECONDS)
    is_bound = found.is_all and is_stored
    return Between(found.messages, is_bound and row.filter is None, is_bound)


@dataclass(frozen=True, slots=True)
class _Standing:
    """The cursor, how many are on their way and how many wait, the lowest of these, PostgreSQL's clock."""

    position: str
    outstanding: int
    waiting: int
    lowest: str
    now: int


def _standing(rows: Sequence[Subscription]) -> dict[int, _Standing]:
    """At one instant."""
    with connection.cursor() as sql:
        sql.execute(_STANDING, [[row.pk for row in rows]])
        return {id: _Standing(*standing) for id, *standing in sql.fetchall()}


def _lag(row: Subscription, here: _Standing, most: int, seconds: float) -> Lag:
    above = counting.count(row.channel.channel, here.position, most=most, seconds=seconds)
    is_filtered = row.filter is not None
    return reckon(above, here.outstanding, here.waiting, here.lowest, here.now, is_filtered=is_filtered)
