"""Dead letters, and skipping one message.

A dead letter is a row that points at a stored message. Retention may delete the message: then the row stays
and says so (`expired`), and cannot be handed out again. Whatever goes by a decision of somebody goes on
record as undelivered.

What is to be done to many is done in steps of a thousand, each a transaction of its own: what was done is not
undone by what fails later, and what is left may be asked for once more.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction

from access_app import audit
from messages_app.searching import counting
from relaycore.delivering import leasing
from relaycore.delivering.leasing import State
from relaycore.delivering.settling import redrive as redrive_rows
from relaycore.errors import DeliveryUnknown, WrongMode
from relaycore.position import previous_position
from subscribers_app.models import Delivery, Subscription, Undelivered
from subscribers_app.pulling import holding, ledger

_STEP: Final = 1000


@dataclass(frozen=True, slots=True)
class Which:
    """Of the dead letters of a subscription: those of these messages, of a time, or all."""

    ids: Sequence[bytes] | None = None
    since: datetime | None = None
    until: datetime | None = None

    def rows(self, row: Subscription) -> Any:
        """As a query, like `letters`."""
        found = letters(row)
        if self.ids is not None:
            found = found.filter(message_id__in=self.ids)
        if self.since is not None:
            found = found.filter(died_at__gte=self.since)
        return found if self.until is None else found.filter(died_at__lte=self.until)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of them, or would become. Two kinds stay as they are.

    expired:      their message is gone
    above_cursor: they are handed out as new when the cursor comes by, after a seek back
    """

    messages: int = 0
    expired: int = 0
    above_cursor: int = 0


def letters(row: Subscription) -> Any:
    """The dead letters of a subscription, as a query, in the order of their positions."""
    return Delivery.objects.filter(subscription=row, state=State.DEAD).order_by("position")


def expired(rows: Iterable[Delivery]) -> set[str]:
    """The positions of those whose message is gone. May raise `pymongo.errors.PyMongoError`."""
    ids = {one.position: bytes(one.message_id) for one in rows}
    there = counting.those_there(ids.values()) if ids else set()
    return {position for position, id in ids.items() if id not in there}


def pages(row: Subscription, which: Which) -> Iterator[list[Delivery]]:
    """Them, by position, so that each is looked at once: what is done to one page does not move the next."""
    rows, last = which.rows(row), ""
    while page := list(rows.filter(position__gt=last)[:_STEP]):
        yield page
        last = page[-1].position


def redrive(row: Subscription, which: Which, *, dry_run: bool = False) -> Done:
    """Hand dead letters out again, as if for the first time.

    Raises:
        WrongMode: nothing dies in this mode.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    require_leases(row)
    done = gone = above = 0
    for page in pages(row, which):
        missing = expired(page)
        gone += len(missing)
        positions = [one.position for one in page if one.position not in missing]
        again, left = (_would_redrive if dry_run else _redrive)(row, positions)
        done, above = done + again, above + left
    if not dry_run:
        audit.record("dead letters redriven", [row.name], messages=done, expired=gone)
    return Done(done, gone, above)


def drop(row: Subscription, which: Which, *, dry_run: bool = False) -> Done:
    """Let dead letters go, on record.

    Raises:
        WrongMode: nothing dies in this mode.
    """
    require_leases(row)
    if dry_run:
        return Done(which.rows(row).count())
    done = sum(_drop(row, [one.position for one in page]) for page in pages(row, which))
    audit.record("dead letters dropped", [row.name], messages=done)
    return Done(done)


def find(row: Subscription, id: bytes) -> Delivery:
    """A message that is on its way or dead.

    Raises:
        WrongMode, DeliveryUnknown: as `skip`.
    """
    require_leases(row)
    found = Delivery.objects.filter(subscription=row, message_id=id).first()
    if found is None:
        raise _unknown()
    return found


def skip(row: Subscription, id: bytes) -> None:
    """Let one message go that is on its way or dead, on record. Whoever has it may not confirm it any more.

    Raises:
        WrongMode: in this mode there are no deliveries; a commit goes past it.
        DeliveryUnknown: it is neither.
    """
    require_leases(row)
    with transaction.atomic(), connection.cursor() as sql:
        if not ledger.lock(sql, [row.pk]):
            raise _unknown()
        found = Delivery.objects.filter(subscription=row, message_id=id).values_list("position", flat=True)
        positions = list(found)
        if not positions:
            raise _unknown()
        _let_go(row, Undelivered.Cause.SKIPPED, positions)
        ledger.delete(sql, row.pk, positions)
        audit.record("message skipped", [row.name], id=id.hex(), positions=positions)


def require_leases(row: Subscription) -> None:
    """Nothing, if there are deliveries in its mode.

    Raises:
        WrongMode: there are none.
    """
    if row.mode != Subscription.Mode.LEASE:
        raise WrongMode(
            f'The subscription "{row}" has the mode "{row.mode}": nothing is leased, so nothing dies or is '
            "skipped. Commit a position, or seek."
        )


def _redrive(row: Subscription, positions: Sequence[str]) -> tuple[int, int]:
    """So many are handed out again, and so many stand above the cursor."""
    with transaction.atomic(), connection.cursor() as sql:
        standing = ledger.lock(sql, [row.pk]).get(row.pk)
        if standing is None:
            return 0, 0
        found = ledger.find(sql, row.pk, positions).values()
        held = holding.all_of(sql, row.pk) if row.order_field else ()
        again = redrive_rows(standing.cursor, found, standing.now, held)
        if again:
            ledger.update(sql, row.pk, again)
        return len(again), _dead(found) - len(again)


def _would_redrive(row: Subscription, positions: Sequence[str]) -> tuple[int, int]:
    """The same, without a lock, and nothing is written."""
    with connection.cursor() as sql:
        glance = ledger.glance(sql, [row.pk]).get(row.pk)
        if glance is None:
            return 0, 0
        found = ledger.find(sql, row.pk, positions).values()
        held = holding.all_of(sql, row.pk) if row.order_field else ()
        again = redrive_rows(glance.cursor, found, 0, held)
        return len(again), _dead(found) - len(again)


def _dead(rows: Iterable[leasing.Delivery]) -> int:
    return sum(one.state is State.DEAD for one in rows)


def _drop(row: Subscription, positions: Sequence[str]) -> int:
    with transaction.atomic(), connection.cursor() as sql:
        if not ledger.lock(sql, [row.pk]):
            return 0
        found = ledger.find(sql, row.pk, positions)
        dead = [position for position, one in found.items() if one.state is State.DEAD]
        _let_go(row, Undelivered.Cause.DROPPED, dead)
        ledger.delete(sql, row.pk, dead)
        return len(dead)


def _let_go(row: Subscription, cause: str, positions: Sequence[str]) -> None:
    Undelivered.objects.bulk_create(
        Undelivered(subscription=row, cause=cause, after=previous_position(one), upto=one, messages=1)
        for one in positions
    )


def _unknown() -> DeliveryUnknown:
    return DeliveryUnknown("No message with this id is on its way or dead. An id has 24 hexadecimal digits.")
