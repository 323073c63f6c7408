"""Which channels a leader hears, as it stands in the table.

A channel that was heard once and is not heard now is in a gap: in its partition's, or in one
of its own that stays open until it is heard again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce

from channels_app.listening.recording.notes import end, open_gaps
from channels_app.models import Channel, Gap
from leases_app.leasing import Term
from relaybase.postgres.clock import ClockTimestamp
from relaycore.storing.batching import batched
from relaycore.times import from_milliseconds

_ROWS_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Began:
    """A term has begun, in which these rows (by their lives) are heard from `first` on (ms since 1970).

    since: it has taken over without a gap from a leader that had confirmed everything up to there
           (ms since 1970); None: it has not
    """

    rows: tuple[int, ...]
    since: int | None
    first: int


@dataclass(frozen=True, slots=True)
class RowsHeard:
    """These rows are heard from `at` on (ms since 1970)."""

    rows: tuple[int, ...]
    at: int


def begin(term: Term, beginning: Began) -> bool:
    """What another term said of channels that are not heard in this one holds no more; False: not held.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic():
        if not term.hold():
            return False
        # The leader has noted what was missed. What is still open was opened by others meanwhile.
        end(open_gaps(term.partition), from_milliseconds(beginning.first))
        since = term.known_before if beginning.since is None else from_milliseconds(beginning.since)
        _silence(term.partition, set(beginning.rows), since)
        return True


def hear(term: Term, rows: Sequence[int], at: datetime) -> bool:
    """These rows are heard from here on; False if the term is not held.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    for part in batched(rows, _ROWS_AT_ONCE):
        with transaction.atomic():
            if not term.hold():
                return False
            found = Channel.objects.listened().filter(life__in=part)
            found.exclude(subscription_status=Channel.Status.ACTIVE).update(
                subscription_status=Channel.Status.ACTIVE,
                active_since=ClockTimestamp(),
                first_heard_at=Coalesce(F("first_heard_at"), Value(at)),
                refusal="",
                updated_at=ClockTimestamp(),
            )
            end(Gap.objects.filter(partition=term.partition, channel__in=found.values("channel")), at)
    return True


def silence(rows: Sequence[int]) -> None:
    """These rows are not heard. In a transaction that holds the term."""
    for part in batched(rows, _ROWS_AT_ONCE):
        Channel.objects.filter(life__in=part, subscription_status=Channel.Status.ACTIVE).update(
            subscription_status=Channel.Status.INACTIVE, active_since=None, updated_at=ClockTimestamp()
        )


def _silence(partition: int, heard: set[int], since: datetime | None) -> None:
    """All but these rows. What the leader before has heard is a gap, from `since` on."""
    was_heard = Q(subscription_status=Channel.Status.ACTIVE) | Q(first_heard_at__isnull=False)
    known = Channel.objects.listened().filter(was_heard, partition=partition)
    columns = known.values_list("life", "channel", "first_heard_at", "created_at")
    unheard = [row for row in columns.iterator() if row[0] not in heard]
    still_open = Gap.objects.filter(partition=partition, ended_at=None)
    is_open = set(still_open.values_list("channel", flat=True))
    Gap.objects.bulk_create(
        [
            Gap(
                partition=partition,
                channel=name,
                cause=Gap.Cause.LATE,
                began_at=max(filter(None, (since, first_heard_at)), default=created_at),
            )
            for _, name, first_heard_at, created_at in unheard
            if name not in is_open
        ],
        batch_size=_ROWS_AT_ONCE,
    )
    silence([row for row, *_ in unheard])
