"""Moving a cursor, with a dry run. What it passes over goes on record.

What can be asked beforehand is asked before the row is locked: where it goes, how many messages lie between,
what retention has deleted. The cursor may move meanwhile. If it has gone forward, fewer are passed over than
were counted, and the number was a bound all along; if somebody has sought back, it is not known.
"""

from dataclasses import dataclass

from django.db import connection, transaction
from django.db.models import Count, Max, Min

from access_app import audit
from messages_app.searching import counting
from relaycore.delivering.beginning import Start
from relaycore.delivering.leasing import State
from relaycore.delivering.seeking import OnTheirWay, passed, reach
from relaycore.delivering.skipping import skip
from subscribers_app import lag, starting
from subscribers_app.models import Delivery
from subscribers_app.pulling import holding, ledger
from subscribers_app.starting import Which


@dataclass(frozen=True, slots=True)
class Sought:
    """Where a cursor went.

    messages: so many lie between: they are handed out again, or are not handed out at all
    is_exact: or more, or fewer
    let_go:   back: so many that are on their way below that place are not handed out any more
    """

    origin: str
    to: str
    messages: int
    is_exact: bool
    let_go: int = 0


def seek(which: Which, start: Start, *, dry_run: bool = False) -> Sought:
    """Go on above another position, whatever was done or is on its way.

    dry_run: only say what that would mean

    Raises:
        SubscriptionUnknown: there is no such subscription.
        Disconnected: where that is cannot be learnt now.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    row = starting.meant(which).first()
    if row is None:
        raise starting.unknown(which)
    channel = row.channel.channel
    to = starting.resolve(channel, start)
    between = lag.between(row, min(row.position, to), max(row.position, to))
    if dry_run:
        return _sought(row.position, to, on_their_way(row.pk, to), between.messages, between.is_exact)
    gone = counting.deleted(channel)
    with transaction.atomic(), connection.cursor() as sql:
        standing = ledger.lock(sql, [row.pk]).get(row.pk)
        if standing is None:
            raise starting.unknown(which)
        at = standing.cursor.position
        # What was deleted before anybody was given it is missing by retention, and not by this.
        noted, missed = skip(at, standing.noted, gone)
        ledger.write_skip(sql, row.pk, noted, missed)
        dropped_rows = on_their_way(row.pk, reach(to, noted))
        is_counted = between.is_bound and row.position <= at
        lost = passed(at, to, dropped_rows, between.messages if is_counted else None)
        if lost is not None:
            ledger.write_undelivered(sql, row.pk, "seek", lost.after, lost.upto, lost.messages)
        ledger.delete_on_their_way(sql, row.pk)
        ledger.write_cursors(sql, [(row.pk, standing.cursor.seek(to))])
        is_exact = between.is_exact and at == row.position
        sought = _sought(at, to, dropped_rows, between.messages, is_exact)
        audit.record("subscription sought", [row.name], origin=at, to=to, messages=sought.messages)
    return sought


def _sought(origin: str, to: str, dropped: OnTheirWay, between: int, is_exact: bool) -> Sought:
    if to > origin:
        return Sought(origin, to, between + dropped.count, is_exact)
    return Sought(origin, to, between, is_exact, dropped.count)


def on_their_way(id: int, to: str) -> OnTheirWay:
    """The deliveries up to there, and what waits."""
    found = (
        Delivery.objects.filter(subscription=id, position__lte=to)
        .exclude(state=State.DEAD)
        .aggregate(count=Count("pk"), lowest=Min("position"), highest=Max("position"))
    )
    rows = OnTheirWay.of(found["count"], found["lowest"] or "", found["highest"] or "")
    with connection.cursor() as sql:
        return rows.and_waiting(holding.all_of(sql, id), to)
