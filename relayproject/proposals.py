"""Whether loops are proposed where they are missing: what brings back one that has ended.

Beat sends a task every few seconds, and a worker of the queue `default` does it. Nothing
is lost without them until something else fails; then nobody takes its place.
"""

from dataclasses import dataclass

from django.conf import settings
from django.db.models import Exists
from django_celery_beat.models import PeriodicTask

from leases_app.models import Partitioning
from relaybase.postgres.clock import ClockTimestamp
from relaybase.queues import DEFAULT, PROPOSE


@dataclass(frozen=True, slots=True)
class Proposals:
    """How it is with them.

    seconds_ago: since the last ones; None: there were none yet
    are_enabled: nobody has switched them off
    """

    seconds_ago: float | None = None
    are_enabled: bool = True

    @property
    def fault(self) -> str | None:
        """What is wrong with them, and what to do; None if they go on."""
        if not self.are_enabled:
            return f"Proposals are disabled: switch the periodic task {PROPOSE} on again, or start beat"
        patience = max(30.0, 6 * settings.RELAY_PROPOSE_INTERVAL_SECONDS)
        if self.seconds_ago is None or self.seconds_ago <= patience:
            return None
        return (
            f"Nobody has proposed listeners, writers, senders and processors for {self.seconds_ago:.0f} s: "
            f"see whether beat and a worker of the queue “{DEFAULT}” run"
        )


def read() -> Proposals:
    """What the tables say, in one query.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    entries = PeriodicTask.objects.filter(task=PROPOSE)
    row = Partitioning.objects.annotate(
        now=ClockTimestamp(), is_listed=Exists(entries), is_enabled=Exists(entries.filter(enabled=True))
    ).first()
    if row is None:
        return Proposals()
    # From the future: PostgreSQL's clock was ahead, and nobody knows when that was.
    ago = None if row.proposed_at is None else abs((row.now - row.proposed_at).total_seconds())
    return Proposals(ago, row.is_enabled or not row.is_listed)
