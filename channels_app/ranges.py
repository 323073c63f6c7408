"""Whether a range of a channel's history has everything that was published: all was heard, and is stored.

What was not heard is asked here; up to where all is stored is said by whoever has read it.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final, cast

import redis
from django.db.models import QuerySet
from rest_framework import serializers

from channels_app.completeness import LOSSES, concerning, overlapping, quiet_since, touching
from channels_app.models import Channel, Gap
from leases_app.models import Lease
from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.redis import clock
from relaycore.position import milliseconds_of
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)


class GapSchema(serializers.Serializer):  # type: ignore[type-arg]
    """A window in which nobody heard a partition, or one channel of it."""

    id = serializers.IntegerField()
    partition = serializers.IntegerField()
    channel = serializers.CharField(allow_null=True, help_text="null: every channel of the partition.")
    cause = serializers.ChoiceField(Gap.Cause.choices)
    locals()["from"] = serializers.DateTimeField()  # A word of Python.
    to = serializers.DateTimeField(allow_null=True, help_text="null: it goes on.")
    missed_at_most = serializers.IntegerField(allow_null=True, help_text="null: not known.")
    covered = serializers.BooleanField(help_text="Another listener heard it: nothing is missing.")


SCHEMA: Final[dict[str, Any]] = {
    "complete": serializers.BooleanField(
        help_text="Everything that was published in the range of this page was heard, and is stored."
    ),
    "gaps": GapSchema(many=True, help_text="When something of it may have been missed."),
}
"""What `of_range` gives, for the description of the API."""

_STORING: Final = timedelta(seconds=2.5)
"""So far the writer may be behind for a range that ends now: as old as a proof that all is heard may be."""


def of_range(
    channel: str,
    *,
    since: str | None,
    until: str | None,
    oldest: str | None = None,
    watermark: str | None,
) -> dict[str, Any]:
    """What an answer with messages of this range says of its completeness.

    since, until: positions; None: from the beginning, until now
    oldest:       the position of the oldest message that is shown
    watermark:    everything below this position was stored when the messages were read; None: unknown
    """
    began, ended = _time(since), _time(until)
    found = _found(channel)
    # In this order: what is known now has its gaps on record.
    known = _is_known(found, began or _time(oldest), ended)
    gaps = _in_order(_missed(channel, found, began, ended))
    is_complete = found is not None and known and not gaps and _is_stored(found, since, until, watermark)
    return {"complete": is_complete, "gaps": list(map(row, gaps))}


def missed(name: str, since: datetime | None, until: datetime | None) -> list[Gap]:
    """The gaps in this range in which the channel may have missed something, the oldest first."""
    return _in_order(_missed(name, _found(name), since, until))


def newest_missed(name: str, since: datetime | None, until: datetime | None) -> QuerySet[Gap]:
    """The same, the newest first, for somebody who looks at a list. An empty name: of all channels."""
    found = _missed(name, _found(name), since, until) if name else _overlapping(since, until)
    return found.order_by("-began_at", "-id")


def _found(name: str) -> Channel | None:
    """Its row, read once for all that an answer says: so that all of it is said of one and the same."""
    return Channel.objects.with_status().filter(channel=name).first()


def _overlapping(since: datetime | None, until: datetime | None) -> QuerySet[Gap]:
    return Gap.objects.filter(overlapping(since, until), covered=False)


def _in_order(gaps: QuerySet[Gap]) -> list[Gap]:
    return list(gaps.order_by("began_at", "id"))


def _missed(
    name: str, channel: Channel | None, since: datetime | None, until: datetime | None
) -> QuerySet[Gap]:
    found = _overlapping(since, until)
    if channel is not None and not channel.listen and since is not None and since >= quiet_since(channel):
        found = found.filter(cause__in=LOSSES)
    return found.filter(concerning(name, channel))


def is_known(name: str, since: datetime | None, until: datetime | None) -> bool:
    """Whether the channel was relayed in this whole range, and everything that it missed in it is on record.

    None: from when it was heard first; until now. To be asked before `missed`. All times are by
    Redis's clock. What is newer than the partition's last proof is not known: there is no gap yet,
    and the next listener may still have heard it.
    """
    return _is_known(_found(name), since, until)


def _is_known(channel: Channel | None, since: datetime | None, until: datetime | None) -> bool:
    if channel is not None and not channel.listen:
        # What came by HTTP is on the stream before anybody is told so. Nothing else was to be relayed.
        return channel.listened_until is None if since is None else since >= quiet_since(channel)
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
    return not is_alone or Gap.objects.filter(touching(channel.channel), ended_at=None).exists()


def row(gap: Gap) -> dict[str, Any]:
    """A gap, as JSON has it."""
    return {
        "id": gap.pk,
        "partition": gap.partition,
        "channel": gap.channel or None,
        "cause": gap.cause,
        "from": gap.began_at,
        "to": gap.ended_at,
        "missed_at_most": gap.missed_at_most,
        "covered": gap.covered,
    }


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


def _is_stored(channel: Channel, since: str | None, until: str | None, watermark: str | None) -> bool:
    """Whether what was heard in the range is stored: the writer may be behind, or gone."""
    if watermark is None:
        return False
    if until is not None:
        return until <= watermark
    if since is not None and since > watermark:
        return False
    known_until, stored = _known_until(channel), from_milliseconds(milliseconds_of(watermark))
    return known_until is None or known_until - stored <= _STORING


def _known_until(channel: Channel) -> datetime | None:
    """Up to where, by Redis's clock, everything is on the stream or on record as missed; None: unknown."""
    if not channel.listen:
        return from_milliseconds(clock.milliseconds(shared_redis()))
    leases = Lease.objects.filter(role=Lease.Role.LISTENER, partition=channel.place)
    return leases.values_list("known_until", flat=True).first()


def _time(position: str | None) -> datetime | None:
    """When a message at this position was put on the stream, by Redis's clock."""
    return None if position is None else from_milliseconds(milliseconds_of(position))
