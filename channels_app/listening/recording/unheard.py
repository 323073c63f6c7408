"""Gaps that no listener can record by hearing, because there is none, or because it hears nothing.

Whoever hears next knows exactly what was missed, and closes what is opened here. Until
then operators see that nobody hears. Each gap begins with the last proof that somebody
did: the row of the lease has it, and is locked meanwhile. A listener claims it before
this, and nothing is opened, or after it, and closes the gap.

A gap ends as covered by a proof alone: a leader that finds that it has missed nothing
says so (`recording.notes.CoveredUntil`), or has got beyond where the gap began and has put on
record whatever it has missed (`Lease.known_until`). It is covered up to there.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Exists, F, Min, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest

from channels_app.listening.recording.notes import UNPROVEN, end_late
from channels_app.listening.recording.statuses import silence
from channels_app.models import Channel, Gap
from leases_app.leasing import Held, Term, storable
from leases_app.models import Lease, LeaseQuerySet
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_NAMED: Final = 3
"""Channels in one line of the log."""

_SAID: Final = {
    Gap.Cause.NO_LISTENER: "partition %d: nobody has listened since %s",
    Gap.Cause.DEAF: "partition %d: its listener has not heard anything since %s",
}


def is_possible(held: Held, partitions: set[int]) -> bool:
    """Whether some of the partitions is not led, or some gap is open: nearly always neither is so."""
    return bool(held.lacking(Lease.Role.LISTENER, partitions)) or Gap.objects.filter(ended_at=None).exists()


def record() -> None:
    """Open a gap for each partition with channels that nobody leads; end those that concern nobody."""
    _end_what_is_not_relayed()
    _cover_what_is_proven()
    with transaction.atomic():
        _open(Lease.objects.silent(), Gap.Cause.NO_LISTENER)


def open_for(term: Term, known_until: int | None) -> None:
    """Open a gap for the partition of this term, whose holder finds that it hears nothing.

    `known_until` (ms since 1970): up to there nothing is missed; None: this term has no proof.

    To be called again and again while that lasts: once it is open nothing changes. Nor does
    anything once the term is over, since whoever leads then knows better.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    if not Gap.objects.filter(partition=term.partition, channel="", ended_at=None).exists():
        with transaction.atomic():
            leases = Lease.objects.filter(term.holds(), partition=term.partition)
            _open(leases, Gap.Cause.DEAF, None if known_until is None else from_milliseconds(known_until))


def open_unproven(partition: int) -> None:
    """Open a gap for this partition if nobody proves that it is heard. For listeners that hear no leader.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    if not Gap.objects.filter(partition=partition, channel="", ended_at=None).exists():
        with transaction.atomic():
            _open(Lease.objects.unproven().filter(partition=partition), Gap.Cause.NO_LISTENER)


def refuse(term: Term, refusals: Mapping[int, str], since: int | None) -> bool:
    """Say why Redis refuses these channels (by the lives of their rows), and open a gap for each.

    `since` (ms since 1970): up to there they were heard; None: never. An empty text takes
    a refusal back. They are INACTIVE, and their gap ends when they are heard. False: the term is not held.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic():
        if not term.hold():
            return False
        channels = list(Channel.objects.listened().filter(life__in=refusals))
        for channel in channels:
            channel.refusal = storable(refusals[channel.life])
        Channel.objects.bulk_update(channels, ["refusal"], batch_size=1000)
        silence([channel.life for channel in channels])
        refused = {channel.channel: channel for channel in channels if channel.refusal}
        known = Gap.objects.filter(partition=term.partition, channel__in=refused, ended_at=None)
        known.filter(cause=Gap.Cause.LATE).update(cause=Gap.Cause.REFUSED)
        for name in known.values_list("channel", flat=True):
            del refused[name]
        Gap.objects.bulk_create(
            Gap(
                partition=term.partition,
                channel=name,
                cause=Gap.Cause.REFUSED,
                began_at=channel.created_at if since is None else from_milliseconds(since),
            )
            for name, channel in refused.items()
        )
    _say_refused(list(refused.values()), term.partition)
    return True


def _say_refused(refused: Sequence[Channel], partition: int) -> None:
    """In one line: all channels may be refused in the same moment."""
    if not refused:
        return
    first = refused[0]
    if len(refused) == 1:
        about = {"partition": partition, "channel": first.channel}
        log.error("channel %r: Redis refuses it: %s", first.channel, first.refusal, extra=about)
        return
    names = ", ".join(repr(channel.channel) for channel in refused[:_NAMED])
    more = " and others" if len(refused) > _NAMED else ""
    text = "partition %d: Redis refuses %d channels, %s%s: %s"
    log.error(text, partition, len(refused), names, more, first.refusal, extra={"partition": partition})


def _open(leases: LeaseQuerySet, cause: Gap.Cause, known_until: datetime | None = None) -> None:
    # What never was heard has no other time than PostgreSQL's.
    first = Min(Coalesce("first_heard_at", "created_at"))
    started = dict(Channel.objects.listened().values_list("partition").annotate(first=first))
    is_open = Gap.objects.filter(partition=OuterRef("partition"), channel="", ended_at=None)
    unheard = leases.described().filter(~Exists(is_open), role=Lease.Role.LISTENER, partition__in=started)
    gaps = []
    for lease in unheard.select_for_update(skip_locked=True):
        began_at = started[lease.partition]
        if lease.known_until is not None:
            began_at = max(began_at, lease.known_until, known_until or began_at)
        gaps.append(Gap(partition=lease.partition, cause=cause, began_at=began_at))
    Gap.objects.bulk_create(gaps, ignore_conflicts=True)
    for gap in gaps:
        about = {"partition": gap.partition}
        log.error(_SAID[cause], gap.partition, f"{gap.began_at:%H:%M:%S %Z}", extra=about)


def _end_what_is_not_relayed() -> None:
    itself = Exists(Channel.objects.listened().filter(channel=OuterRef("channel")))
    any_channel = Exists(Channel.objects.listened().filter(partition=OuterRef("partition")))
    end_late(Gap.objects.filter(~itself & ~Q(channel="") | ~any_channel & Q(channel="")))


def _cover_what_is_proven() -> None:
    """Its leader hears, and all is known beyond where the gap began.

    It was only PostgreSQL that did not hear from it. What it has missed all the same is another gap.
    """
    hearing = Lease.objects.hearing().filter(
        role=Lease.Role.LISTENER, partition=OuterRef("partition"), known_until__gt=OuterRef("began_at")
    )
    gaps = Gap.objects.filter(Exists(hearing), channel="", cause__in=UNPROVEN, ended_at=None)
    known_until = Subquery(hearing.values("known_until"))
    gaps.update(ended_at=Greatest(known_until, F("began_at")), covered=True, missed_at_most=0)
