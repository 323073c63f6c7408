"""Since when nothing that was published on a channel was missed, by the recorded gaps.

A gap touches a channel if it is the channel's own, or that of the partition that had the channel when
it was recorded. One that another listener has covered takes nothing away. From when it was heard first
on, whatever a channel misses is in a gap.

A channel that is not listened to misses nothing by not being heard. It is complete from its creation on, or
from when listening was turned off, but for what was on the stream and has vanished.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value

from channels_app.models import Channel, ChannelsMark, Gap
from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.channels import partition_of, places_of
from relaycore.times import next_millisecond, rounded_up

LOSSES: Final = (Gap.Cause.VANISHED, Gap.Cause.ARCHIVE_RESTORED)
"""Causes that concern whatever was on the stream, however it came there."""

_SUBSCRIBING_SECONDS: Final = 3.0
"""A channel that is not heard for so long is not just being subscribed."""


@dataclass(frozen=True, slots=True)
class Completeness:
    """What can be said of one channel at this moment.

    since:    from here on every message was heard; None: it is not heard, or a gap is open. A whole
              millisecond, as positions are, and behind the end of each gap: a range that is asked for
              from here on overlaps none
    open_gap: what is going on now, the one that began first
    """

    since: datetime | None = None
    open_gap: Gap | None = None


def of_channels(channels: Sequence[Channel]) -> dict[str, Completeness]:
    """By channel, for channels that were read by `Channel.objects.with_status()`. Two queries."""
    listened = [channel for channel in channels if channel.listen]
    unlistened = [channel for channel in channels if not channel.listen]
    return _of_listened(listened) | _of_unlistened(unlistened)


def _of_listened(channels: Sequence[Channel]) -> dict[str, Completeness]:
    return {
        channel.channel: _of(channel, gaps)
        for channel, gaps in _with_gaps(channels, list(_latest(channels)) if channels else [])
    }


def _of_unlistened(channels: Sequence[Channel]) -> dict[str, Completeness]:
    if not channels:
        return {}
    lost = Gap.objects.filter(ended_at__gte=min(map(quiet_since, channels)), cause__in=LOSSES, channel="")
    return {
        channel.channel: Completeness(_behind(quiet_since(channel), gaps))
        for channel, gaps in _with_gaps(channels, list(_last_of_each(lost)))
    }


def _with_gaps(channels: Iterable[Channel], latest: Sequence[Gap]) -> Iterator[tuple[Channel, list[Gap]]]:
    """Each channel with those that touch it."""
    layouts = {gap.partitions for gap in latest if not gap.channel}
    for channel in channels:
        name = channel.channel
        places = {partitions: partition_of(name, partitions) for partitions in layouts}
        touching = [
            gap
            for gap in latest
            if gap.channel == name or (not gap.channel and places[gap.partitions] == gap.partition)
        ]
        yield channel, touching


def touching(name: str) -> Q:
    """As a condition on a gap: it touches the channel of this name."""
    of_partition = Q()
    for partition, above, upto in places_of(name):
        of_partition |= Q(partition=partition, partitions__gt=above, partitions__lte=upto)
    return Q(channel=name) | Q(of_partition, channel="")


def quiet_since(channel: Channel) -> datetime:
    """From when on a channel that is not listened to has nothing to be heard."""
    return channel.listened_until or channel.created_at


def concerning(name: str, channel: Channel | None) -> Q:
    """As a condition on a gap: something of the channel of this name may be missing. `channel`: its row."""
    if channel is None or channel.listen:
        return touching(name)
    # What was missed while it was listened to stays missed.
    before = Q(channel=name) if channel.listened_until is None else Q(began_at__lt=channel.listened_until)
    return touching(name) & (before | Q(cause__in=LOSSES))


@dataclass(frozen=True, slots=True)
class Listened:
    """Whether a channel is listened to; what is not in the table is taken for one that is.

    until: when that was turned off; None: it was not
    mark:  of the channel table (`models.ChannelsMark`), read before this was
    """

    now: bool = True
    until: datetime | None = None
    mark: object = None

    def misses(self, gap: Gap) -> bool:
        """Whether something of it may be missing by a gap that touches it: as `concerning`."""
        if self.now or gap.cause in LOSSES:
            return True
        return gap.channel != "" if self.until is None else gap.began_at < self.until


def listened(names: Collection[str]) -> Mapping[str, Listened]:
    """Of each of these."""
    mark = mark_of_channels()
    rows = Channel.objects.filter(channel__in=names, listen=False).values_list("channel", "listened_until")
    found = {name: Listened(False, until, mark) for name, until in rows}
    return {name: found.get(name, Listened(mark=mark)) for name in names}


def mark_of_channels() -> object:
    """Another one after each change of the channel table."""
    return ChannelsMark.objects.values_list("mark", flat=True).first()


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
    return Channel.objects.listened().filter(Exists(own), refusal="").count()


def _latest(channels: Iterable[Channel]) -> Iterable[Gap]:
    """For each channel and partition the gap that is open, or else the one that ended last."""
    heard = [channel.first_heard_at for channel in channels if channel.first_heard_at is not None]
    relevant = Q(ended_at=None)
    if heard:
        relevant |= Q(ended_at__gte=min(heard))  # What is older changes nothing.
    # Of the whole partitions all: of which a channel was one depends on how many there were.
    names = ["", *(channel.channel for channel in channels)]
    return _last_of_each(Gap.objects.filter(relevant, channel__in=names, covered=False))


def _last_of_each(found: QuerySet[Gap]) -> QuerySet[Gap]:
    whose = ("partitions", "partition", "channel")
    return found.order_by(*whose, F("ended_at").desc(nulls_first=True)).distinct(*whose)


def _of(channel: Channel, gaps: list[Gap]) -> Completeness:
    still_open = [gap for gap in gaps if gap.ended_at is None]
    if still_open:
        return Completeness(None, min(still_open, key=lambda gap: gap.began_at))
    if channel.status != Channel.Status.ACTIVE or channel.first_heard_at is None:
        return Completeness()
    return Completeness(_behind(channel.first_heard_at, gaps))


def _behind(first: datetime, gaps: Iterable[Gap]) -> datetime:
    """The first millisecond from `first` on that is behind the gaps, none of which is open.

    What was missed in the millisecond in which a gap ended may be as late as that (`overlapping`).
    """
    return max([rounded_up(first), *(next_millisecond(gap.ended_at) for gap in gaps if gap.ended_at)])
