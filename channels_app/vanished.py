"""What was heard and has vanished, before it was stored or after: a gap of the whole partition."""

from django.db import transaction

from channels_app.models import Gap
from leases_app.leasing import Term
from relaycore.errors import LeaseLost
from relaycore.keeping import Hole
from relaycore.position import NEVER, milliseconds_of
from relaycore.times import from_milliseconds


def record(term: Term, hole: Hole) -> None:
    """Write it down, under the writer's term. Doing it again changes nothing but the end.

    Raises:
        LeaseLost: the term is over.
        django.db.Error: PostgreSQL does not answer.
    """
    cause = Gap.Cause.ARCHIVE_RESTORED if hole.was_stored else Gap.Cause.VANISHED
    ended = from_milliseconds(hole.at)
    began = ended if hole.after == NEVER else min(ended, from_milliseconds(milliseconds_of(hole.after)))
    with transaction.atomic():
        if not term.hold():
            raise LeaseLost(f"{term}: the term is over.")
        Gap.objects.update_or_create(
            partition=term.partition,
            channel="",
            cause=cause,
            began_at=began,
            first_number=hole.first,
            defaults={"ended_at": ended, "missed_at_most": hole.messages},
        )
