"""What was heard and has vanished, before it was stored or after: a gap of the whole partition."""

from django.db import transaction

from channels_app.models import Channel, Gap
from leases_app import partitioning
from leases_app.leasing import Term
from relaycore.errors import LeaseLost
from relaycore.position import NEVER, milliseconds_of
from relaycore.storing.keeping import Hole
from relaycore.times import from_milliseconds


def record(term: Term, hole: Hole) -> None:
    """Write it down, under the writer's term. Doing it again changes nothing but the end.

    Raises:
        LeaseLost: the term is over.
        django.db.Error: PostgreSQL does not answer.
    """
    cause = Gap.Cause.ARCHIVE_RESTORED if hole.was_stored else Gap.Cause.VANISHED
    ended = from_milliseconds(hole.at)
    after = None if hole.after == NEVER else from_milliseconds(milliseconds_of(hole.after))
    heard = Channel.objects.filter(partition=term.partition)
    began = min(after or heard.first_heard_at() or ended, ended)
    with transaction.atomic():
        if not term.hold():
            raise LeaseLost(f"{term}: the term is over.")
        Gap.objects.update_or_create(
            partition=term.partition,
            # Not the setting: `repartition` stores what is left while that is another number already.
            # One that there cannot be then: PostgreSQL went back. What a partition has of later divisions, it
            # has of this one, too.
            partitions=max(partitioning.recorded(), term.partition + 1),
            channel="",
            cause=cause,
            began_at=began,
            first_number=hole.first,
            defaults={"ended_at": ended, "missed_at_most": hole.messages},
        )
