"""Since when nothing that was published on a channel was missed, by the recorded gaps.

A gap touches a channel if it is the channel's own, or that of the partition that had the channel when
it was recorded. One that another listener has covered takes nothing away. From when it was heard first
on, whatever a channel misses is in a gap.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, Value

from channels_app.models import Channel, Gap
from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.channels import partition_of, places_of

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


def count_unheard() -> int:
    """Channels that Redis does not refuse, with an open gap of their own that lasts `_SUBSCRIBING_SECONDS`.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    began = ClockTimestamp() - Seconds(Value(_SUBSCRIBING_SECONDS))
    still_open = Gap.objects.filter(ended_at=None, covered=False, began_at__lt=began)
    own = still_open.filter(partition=OuterRef("partition"), channel=OuterRef("channel"))
    return Channel.objects.filter(Exists(own), refusal="").count()


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
