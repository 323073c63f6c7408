"""What a leader finds out about windows in which nobody heard its partition, and how it is written.

Times are those of Redis, which ticks carry: by no other clock can they be compared with
the positions of messages.
"""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Greatest, Least

from channels_app.models import Channel, Gap, current_partitions
from leases_app.leasing import Term
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp
from relaycore.capturing.ticks import Tick, missed_at_most
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_MOST: Final = 2**63 - 1
"""That PostgreSQL takes."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Nobody hears the partition from `at` on (ms since 1970)."""

    at: int
    cause: Gap.Cause


@dataclass(frozen=True, slots=True)
class Closed:
    """Nobody has heard the partition, or the channel, from `began` to `ended` (ms since 1970)."""

    began: int
    ended: int
    cause: Gap.Cause
    missed_at_most: int | None
    channel: str = ""


@dataclass(frozen=True, slots=True)
class CoveredUntil:
    """Whatever is open in the partition: this listener has heard all of it, up to `at` (ms since 1970)."""

    at: int


@dataclass(frozen=True, slots=True)
class ForgottenUntil:
    """Nobody has heard the partition up to `at` (ms since 1970), and Redis does not know since when."""

    at: int


@dataclass(frozen=True, slots=True)
class Restored:
    """PostgreSQL went back. What it had on record up to `at` (ms since 1970) is not known.

    writes: so many of the lease it had acknowledged
    """

    at: int
    writes: int


Note = Opened | Closed | CoveredUntil | ForgottenUntil | Restored
"""What a term decides, and nobody without it."""

_FACTS: Final = (
    Gap.Cause.MEMORY_FULL,
    Gap.Cause.VANISHED,
    Gap.Cause.ARCHIVE_RESTORED,
    Gap.Cause.RESTORED,
)
"""Causes of gaps that no leader knows better by hearing: what it has counted is another gap."""

UNPROVEN: Final = (Gap.Cause.NO_LISTENER, Gap.Cause.DEAF)
"""Causes of gaps that were opened because a proof was missing. One that comes in time covers them."""


def between(before: Tick, after: Tick, cause: Gap.Cause, channel: str = "") -> Closed:
    """The window between two ticks."""
    if before.run_id != after.run_id and cause is not Gap.Cause.REFUSED:
        cause = Gap.Cause.REDIS_RESTARTED
    # The clock of Redis may have been set back.
    return Closed(before.at, max(before.at, after.at), cause, missed_at_most(before, after), channel)


def say(gap: Closed, partition: int) -> None:
    """Say it in the log."""
    log.warning(
        "partition %d: %s not heard for %.1f s (%s); missed: %s",
        partition,
        f"channel {gap.channel!r}" if gap.channel else "all channels",
        (gap.ended - gap.began) / 1000,
        gap.cause.label,
        "not known" if gap.missed_at_most is None else f"at most {gap.missed_at_most}",
        extra={"channel": gap.channel},
    )


def write(note: Note, term: Term) -> None:
    """Write one note, in a transaction that holds the term. Writing it again changes nothing.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    still_open = open_gaps(term.partition)
    match note:
        case Opened():
            _open(note, term.partition, still_open)
        case CoveredUntil(at):
            cover(still_open, from_milliseconds(at))
        case ForgottenUntil(at):
            _end_forgotten(from_milliseconds(at), term, still_open)
        case Restored():
            _restore(note, term, still_open)
        case Closed():
            _close(note, term.partition, still_open)


def write_doubt(term: Term) -> None:
    """Write that something was missed since the last proof, and that nobody knows what.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    lease = Lease.objects.described().get(role=term.role, partition=term.partition, slot=term.slot)
    _end_forgotten(lease.now, term, open_gaps(term.partition), known_until=lease.known_until)


def bounded(missed: int | None) -> int | None:
    """What may have been missed, as it is recorded; None: not known."""
    return None if missed is None or missed > _MOST else missed


def open_gaps(partition: int) -> QuerySet[Gap]:
    """The one of the whole partition that is open, if there is one."""
    return Gap.objects.filter(partition=partition, channel="", ended_at=None)


def end(gaps: QuerySet[Gap], at: datetime) -> None:
    """From here on channels of these gaps are heard, and nobody can say what was missed."""
    gaps.filter(ended_at=None).update(ended_at=Greatest(Value(at), F("began_at")))


def end_late(gaps: QuerySet[Gap]) -> None:
    """These gaps concern nobody any more."""
    gaps.filter(ended_at=None).update(ended_at=Greatest(ClockTimestamp(), F("began_at")))


def cover(gaps: QuerySet[Gap], at: datetime) -> None:
    """These gaps are over, and a listener has heard all of it, up to here."""
    ended_at = Greatest(Value(at), F("began_at"))
    gaps.filter(ended_at=None).update(ended_at=ended_at, covered=True, missed_at_most=0)


def _open(note: Opened, partition: int, still_open: QuerySet[Gap]) -> None:
    began_at = from_milliseconds(note.at)
    # Who leads says that it has missed something: no proof of the same term covers that any more.
    still_open.filter(cause__in=UNPROVEN).update(
        cause=note.cause, began_at=Least(F("began_at"), Value(began_at))
    )
    if not still_open.exists():
        Gap.objects.create(partition=partition, cause=note.cause, began_at=began_at)


def _close(gap: Closed, partition: int, still_open: QuerySet[Gap]) -> None:
    began_at, ended_at = from_milliseconds(gap.began), from_milliseconds(gap.ended)
    bound = bounded(gap.missed_at_most)
    what = {"ended_at": ended_at, "missed_at_most": bound, "cause": gap.cause}
    if gap.cause is Gap.Cause.REFUSED and _end_refused(gap, partition, bound):
        return
    if not gap.channel and still_open.update(began_at=began_at, **what):
        return
    same = {"partition": partition, "channel": gap.channel, "began_at": began_at}
    same["partitions"] = current_partitions()
    known = Gap.objects.filter(**same).exclude(cause__in=_FACTS)
    # A leader that ended before it could confirm beyond a gap leaves it to the next one: it is longer now.
    # One that was covered meanwhile was so up to another moment.
    shorter = known.filter(Q(covered=True) | Q(ended_at__lt=ended_at))
    if not shorter.update(**what, covered=False) and not known.exists():
        Gap.objects.create(**same, **what)


def _end_refused(gap: Closed, partition: int, bound: int | None) -> bool:
    """Whether there was one that is open."""
    began_at = from_milliseconds(gap.began)
    its_own = Gap.objects.filter(partition=partition, channel=gap.channel, ended_at=None)
    # One that a leader before has opened began before anything that was counted here.
    its_own.filter(began_at__gte=began_at).update(missed_at_most=bound)
    ended_at = Greatest(Value(from_milliseconds(gap.ended)), F("began_at"))
    return bool(its_own.update(ended_at=ended_at))


def _restore(note: Restored, term: Term, still_open: QuerySet[Gap]) -> None:
    """From the last moment that PostgreSQL knows of on, anything may have been on record.

    What is open may have been closed long ago, with another end, and what follows of this term knows
    nothing of that. So it all becomes one gap. From here on the lease knows more than what was lost.
    """
    at = from_milliseconds(note.at)
    _end_forgotten(at, term, still_open, cause=Gap.Cause.RESTORED)
    lease = Lease.objects.filter(role=term.role, partition=term.partition, slot=term.slot)
    lease.update(writes=Greatest(F("writes"), Value(note.writes)))
    since = "the beginning" if term.known_before is None else f"{term.known_before:%Y-%m-%d %H:%M:%S %Z}"
    log.error(
        "partition %d: PostgreSQL went back to %s: it was restored, or a copy that lagged has taken over. "
        "Which gaps and channels it had on record from there to %s is not known, so that is a gap.",
        term.partition,
        since,
        f"{at:%Y-%m-%d %H:%M:%S %Z}",
        extra={"partition": term.partition},
    )


def _end_forgotten(
    at: datetime,
    term: Term,
    still_open: QuerySet[Gap],
    known_until: datetime | None = None,
    cause: Gap.Cause = Gap.Cause.NO_LISTENER,
) -> None:
    began_at = known_until or term.known_before
    if began_at is None and term.epoch > 1:  # Whoever led before was killed before it could say so.
        heard = Channel.objects.listened().filter(partition=term.partition, first_heard_at__lt=at)
        began_at = heard.first_heard_at()
    for gap in still_open:
        gap.began_at = min(gap.began_at, began_at or gap.began_at)
        gap.ended_at = max(gap.began_at, at)
        if cause is Gap.Cause.RESTORED:
            gap.cause = cause
        gap.save()
        return
    # What never was heard has missed nothing yet: it is complete from its first moment on.
    if began_at is not None:
        Gap.objects.get_or_create(
            partition=term.partition,
            channel="",
            cause=cause,
            began_at=began_at,
            ended_at=max(began_at, at),
            missed_at_most=None,
            covered=False,
        )
