"""What was heard and has vanished, before it was stored or after: a gap of the whole partition."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Min

from channels_app.models import Channel, Gap
from leases_app import partitioning
from leases_app.leasing import Term
from relaycore.errors import LeaseLost
from relaycore.position import NEVER, milliseconds_of
from relaycore.storing.keeping import Hole
from relaycore.times import from_milliseconds


def gap(term: Term, hole: Hole) -> dict[str, Any]:
    """What is to be on record of it, by the columns of a gap. Times are text: MongoDB keeps no microseconds.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    cause = Gap.Cause.ARCHIVE_RESTORED if hole.was_stored else Gap.Cause.VANISHED
    ended = from_milliseconds(hole.at)
    after = None if hole.after == NEVER else from_milliseconds(milliseconds_of(hole.after))
    began = min(after or _first(term.partition) or ended, ended)
    return {
        # Not the setting: `repartition` stores what is left while that is another number already.
        # One that there cannot be then: PostgreSQL went back. What a partition has of later divisions, it
        # has of this one, too.
        "partitions": max(partitioning.recorded(), term.partition + 1),
        "cause": str(cause),
        "began_at": began.isoformat(),
        "first_number": hole.first,
        "ended_at": ended.isoformat(),
        "missed_at_most": hole.messages,
    }


def _first(partition: int) -> datetime | None:
    """When the stream of a partition can have had its first message: channels are heard, or published on."""
    channels = Channel.objects.filter(partition=partition)
    published = channels.filter(listen=False).aggregate(first=Min("created_at"))["first"]
    return min(filter(None, (channels.listened().first_heard_at(), published)), default=None)


def record(term: Term, gaps: Sequence[Mapping[str, Any]]) -> None:
    """Write these down, under the writer's term. Doing it again changes nothing but their ends.

    Raises:
        LeaseLost: the term is over.
        django.db.Error: PostgreSQL does not answer.
    """
    with transaction.atomic():
        if not term.hold():
            raise LeaseLost(f"{term}: the term is over.")
        for one in gaps:
            known = dict(one)
            ends = {name: known.pop(name) for name in ("ended_at", "missed_at_most")}
            Gap.objects.update_or_create(partition=term.partition, channel="", **known, defaults=ends)
