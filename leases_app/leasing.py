"""Claiming, renewing and releasing a lease: each one conditional UPDATE."""

import os
import socket
import uuid
from dataclasses import dataclass, field

from django.db.models import Exists, F

from leases_app.models import ClockTimestamp, Lease, LeaseQuerySet
from relaycore.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Term:
    """A lease that was claimed: a role, a partition, the epoch and its holder.

    `given_up_before`: messages that earlier terms had to give up.
    """

    role: str
    partition: int
    epoch: int
    holder: str
    given_up_before: int = 0

    def __str__(self) -> str:
        return f"{self.role} of partition {self.partition}, epoch {self.epoch}"

    def _row(self) -> LeaseQuerySet:
        return Lease.objects.filter(
            role=self.role, partition=self.partition, epoch=self.epoch, holder=self.holder
        )

    def holds(self) -> Exists:
        """As a condition of another statement: this term is the current one when it begins."""
        return Exists(self._row())

    def renew(self, given_up: int) -> None:
        """Say that the holder lives, and how many messages it had to give up in this term.

        Raises:
            LeaseLost: somebody else holds the lease now.
        """
        # The total, not what is new: a renewal whose answer was lost is sent again, and must not count twice.
        total = self.given_up_before + given_up
        if not self._row().update(heartbeat_at=ClockTimestamp(), given_up=total):
            raise LeaseLost(f"{self}: the term is over.")

    def release(self) -> bool:
        """End the term; False if it was over already."""
        return bool(self._row().update(holder="", heartbeat_at=None))


@dataclass(frozen=True, slots=True)
class Contender:
    """A process that wants a lease. `task_id` is empty in the foreground."""

    task_id: str = ""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def claim(self, role: str, partition: int) -> Term | None:
        """Take the lease if it is free; None if somebody holds it or was quicker."""
        Lease.objects.get_or_create(role=role, partition=partition)
        free = Lease.objects.free().filter(role=role, partition=partition)
        seen = free.values_list("epoch", "given_up").first()
        if seen is None:
            return None
        epoch, given_up = seen
        # Any claim in between has raised the epoch. A renewal in between has not (the holder had only
        # let the lease lapse), so the row must still be free as well.
        won = free.filter(epoch=epoch, given_up=given_up).update(
            epoch=F("epoch") + 1,
            holder=self.name,
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            task_id=self.task_id,
            claimed_at=ClockTimestamp(),
            heartbeat_at=ClockTimestamp(),
        )
        return Term(role, partition, epoch + 1, self.name, given_up) if won else None


def unheld(role: str, partitions: set[int]) -> set[int]:
    """Those of `partitions` whose lease for `role` nobody holds."""
    held = (
        Lease.objects.live().filter(role=role, partition__in=partitions).values_list("partition", flat=True)
    )
    return partitions - set(held)
