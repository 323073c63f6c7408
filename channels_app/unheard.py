"""Gaps that no listener can record, because there is none.

Whoever leads next knows exactly what was missed, and closes what is opened here. Until
then operators see that nobody listens. The row of the lease is locked meanwhile: a
listener claims it before this, and nothing is opened, or after it, and closes the gap.
"""

import logging

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from channels_app.listening.gaps import cover, end_late
from channels_app.models import Channel, Gap
from leases_app.leasing import Held
from leases_app.models import Lease

log = logging.getLogger(__name__)


def is_possible(held: Held, partitions: set[int]) -> bool:
    """Whether some of the partitions is not led, or some gap is open: nearly always neither is so."""
    return bool(held.lacking(Lease.Role.LISTENER, partitions)) or Gap.objects.filter(ended_at=None).exists()


def record() -> None:
    """Open a gap for each partition with channels that nobody leads; end those that concern nobody."""
    _end_what_is_not_relayed()
    cover(_whose_leader_was_only_silent())
    with transaction.atomic():
        _open()


def _open() -> None:
    started = dict(Channel.objects.values_list("partition").annotate(Min("created_at")))
    is_open = Gap.objects.filter(partition=OuterRef("partition"), channel="", ended_at=None)
    silent = Lease.objects.silent().filter(~Exists(is_open), role=Lease.Role.LISTENER, partition__in=started)
    gaps = [
        Gap(
            partition=lease.partition,
            cause=Gap.Cause.NO_LISTENER,
            began_at=max(lease.heartbeat_at, started[lease.partition]),
        )
        for lease in silent.select_for_update(skip_locked=True)
        if lease.heartbeat_at is not None
    ]
    Gap.objects.bulk_create(gaps, ignore_conflicts=True)
    for gap in gaps:
        since = f"{gap.began_at:%H:%M:%S %Z}"
        about = {"partition": gap.partition}
        log.error("partition %d: nobody has listened since %s", gap.partition, since, extra=about)


def _end_what_is_not_relayed() -> None:
    itself = Exists(Channel.objects.filter(channel=OuterRef("channel")))
    any_channel = Exists(Channel.objects.filter(partition=OuterRef("partition")))
    end_late(Gap.objects.filter(~itself & ~Q(channel="") | ~any_channel & Q(channel="")))


def _whose_leader_was_only_silent() -> QuerySet[Gap]:
    """It has the same term as before: it was only PostgreSQL that did not hear from it.

    What it has missed all the same, it records by itself.
    """
    same_term = Lease.objects.live().filter(
        role=Lease.Role.LISTENER, partition=OuterRef("partition"), claimed_at__lte=OuterRef("began_at")
    )
    return Gap.objects.filter(Exists(same_term), channel="", cause=Gap.Cause.NO_LISTENER)
