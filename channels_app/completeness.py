"""Since when nothing that was published on a channel was missed, by the recorded gaps.

A gap touches a channel if it is the channel's own, or that of the partition that had the channel when
it was recorded. One that another listener has covered takes nothing away. From when it was heard first
on, whatever a channel misses is in a gap.
"""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, cast

import redis
from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, Value

from channels_app.models import Channel, Gap
from leases_app.models import Lease
from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.channels import partition_of, places_of
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_SUBSCRIBING_SECONDS: Final = 3.0
"""A channel that is not heard for so long is not just being subscribed."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What can be said of one channel at this moment.

    since:    from here on every message was heard; None: it is not heard, or a gap is open
    open_gap: what is going on now, the one that began first
    """

    since: datetime | None = None
    open_gap: Gap | None = None


def of_channels(channels: Sequence[Channel]) -> dict[str, Completeness]:
    """By channel, for channels that were read by `Channel.objects.with_status()`. One query."""
    latest = list(_latest(channels))
    layouts = {gap.partitions for gap in latest if not gap.channel}
    found = {}
    for channel in channels:
        name = channel.channel
        places = {partitions: partition_of(name, partitions) for partitions in layouts}
        touching = [
            gap
            for gap in latest
            if gap.channel == name or (not gap.channel and places[gap.partitions] == gap.partition)
        ]
        found[name] = _of(channel, touching)
    return found


def touching(name: str) -> Q:
    """As a condition on a gap: it touches the channel of this name."""
    of_partition = Q()
    for partition, above, upto in places_of(name):
        of_partition |= Q(partition=partition, partitions__gt=above, partitions__lte=upto)
    return Q(channel=name) | Q(of_partition, channel="")


def overlapping(since: datetime | None, until: datetime | None) -> Q:
    """As a condition on a gap: some of it lies from `since` to before `until`; None: no bound."""
    found = Q()
    if since is not None:
        found &= Q(ended_at=None) | Q(ended_at__gte=since)
    if until is not None:
        found &= Q(began_at__lt=until)
    return found


def missed(name: str, since: datetime | None, until: datetime | None) -> list[Gap]:
    """The gaps in this range in which the channel may have missed something, the oldest first."""
    found = Gap.objects.filter(touching(name), overlapping(since, until), covered=False)
    return list(found.order_by("began_at", "id"))


def count_unheard() -> int:
    """Channels that Redis does not refuse, with an open gap of their own that lasts `_SUBSCRIBING_SECONDS`.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    began = ClockTimestamp() - Seconds(Value(_SUBSCRIBING_SECONDS))
    still_open = Gap.objects.filter(ended_at=None, covered=False, began_at__lt=began)
    own = still_open.filter(partition=OuterRef("partition"), channel=OuterRef("channel"))
    return Channel.objects.filter(Exists(own), refusal="").count()


def is_known(name: str, since: datetime | None, until: datetime | None) -> bool:
    """Whether the channel was relayed in this whole range, and everything that it missed in it is on record.

    None: from when it was heard first; until now. To be asked before `missed`. All times are by
    Redis's clock. What is newer than the partition's last proof is not known: there is no gap yet,
    and the next listener may still have heard it.
    """
    channel = Channel.objects.with_status().filter(channel=name).first()
    if channel is None or channel.first_heard_at is None:
        return False
    if since is not None and since < channel.first_heard_at:
        return False
    if until is None:
        return channel.status == Channel.Status.ACTIVE
    lease = Lease.objects.described().filter(role=Lease.Role.LISTENER, partition=channel.partition).first()
    if lease is None or not _reaches(lease, until):
        return False
    # What is not heard although its partition is: the partition's proofs say nothing of it, its gap does.
    is_alone = channel.subscription_status != Channel.Status.ACTIVE and (lease.hears or channel.refusal)
    return not is_alone or Gap.objects.filter(touching(name), ended_at=None).exists()


def known_until(name: str) -> datetime | None:
    """Up to where, by Redis's clock, everything is on the stream or on record as missed; None: unknown."""
    partition = partition_of(name, settings.RELAY_PARTITIONS)
    leases = Lease.objects.filter(role=Lease.Role.LISTENER, partition=partition)
    return leases.values_list("known_until", flat=True).first()


def _reaches(lease: Lease, until: datetime) -> bool:
    """Whether all is known up to there.

    The lease says it once a second, and Redis with each tick: who reads what was just published needs that.
    But what Redis knows holds together with the gaps that were on record by then. A PostgreSQL that went
    back has lost some, until the next leader says so.
    """
    if lease.known_until is not None and until <= lease.known_until:
        return True
    try:
        found = shared_redis().hmget(keys.confirmed_tick(lease.partition), "at", "writes")
    except redis.RedisError as exc:
        log.warning("Redis does not answer, so what is newest is not known to be complete: %s", exc)
        return False
    confirmed, writes = (None if value is None else int(value) for value in cast("list[bytes | None]", found))
    if confirmed is None or until > from_milliseconds(confirmed):
        return False
    # Asked after Redis, which never knows of a write that is not committed.
    return Lease.objects.filter(pk=lease.pk, writes__gte=writes or 0).exists()


def _latest(channels: Iterable[Channel]) -> Iterable[Gap]:
    """For each channel and partition the gap that is open, or else the one that ended last."""
    heard = [channel.first_heard_at for channel in channels if channel.first_heard_at is not None]
    relevant = Q(ended_at=None)
    if heard:
        relevant |= Q(ended_at__gt=min(heard))  # What is older changes nothing.
    # Of the whole partitions all: of which a channel was one depends on how many there were.
    names = ["", *(channel.channel for channel in channels)]
    found = Gap.objects.filter(relevant, channel__in=names, covered=False)
    whose = ("partitions", "partition", "channel")
    return found.order_by(*whose, F("ended_at").desc(nulls_first=True)).distinct(*whose)


def _of(channel: Channel, gaps: list[Gap]) -> Completeness:
    still_open = [gap for gap in gaps if gap.ended_at is None]
    if still_open:
        return Completeness(None, min(still_open, key=lambda gap: gap.began_at))
    if channel.status != Channel.Status.ACTIVE or channel.first_heard_at is None:
        return Completeness()
    return Completeness(max([channel.first_heard_at, *(gap.ended_at for gap in gaps if gap.ended_at)]))
