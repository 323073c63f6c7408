"""Claiming, renewing and releasing a lease: each one conditional UPDATE."""

import os
import socket
import uuid
from dataclasses import dataclass, field

from django.db.models import Exists, F

from leases_app.models import ClockTimestamp, Lease
from relaycore.errors import LeaseLost


@dataclass(frozen=True, slots=True)
class Term:
    """A lease that was claimed: a role, a partition, the epoch and its holder."""

    role: str
    partition: int
    epoch: int
    holder: str

    def _row(self) -> "Lease.objects.__class__":  # type: ignore[name-defined]
        return Lease.objects.filter(
            role=self.role, partition=self.partition, epoch=self.epoch, holder=self.holder
        )

    def holds(self) -> Exists:
        """As a condition of another statement: this term is still the current one."""
        return Exists(self._row())

    def renew(self, given_up: int = 0) -> None:
        """Say that the holder lives, and how many more messages it had to give up.

        Raises:
            LeaseLost: somebody else holds the lease now.
        """
        if not self._row().update(heartbeat_at=ClockTimestamp(), given_up=F("given_up") + given_up):
            raise LeaseLost(f"The lease {self.role} {self.partition}, epoch {self.epoch}, is over.")

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
        Lease.objects.bulk_create([Lease(role=role, partition=partition)], ignore_conflicts=True)
        seen = (
            Lease.objects.free()
            .filter(role=role, partition=partition)
            .values_list("epoch", flat=True)
            .first()
        )
        if seen is None:
            return None
        # The epoch that was seen is the whole condition: any claim in between has raised it.
        # (A heartbeat in between has not, so the row must still be free as well.)
        won = (
            Lease.objects.free()
            .filter(role=role, partition=partition, epoch=seen)
            .update(
                epoch=F("epoch") + 1,
                holder=self.name,
                host=socket.gethostname()[:255],
                pid=os.getpid(),
                task_id=self.task_id,
                claimed_at=ClockTimestamp(),
                heartbeat_at=ClockTimestamp(),
            )
        )
        return Term(role, partition, seen + 1, self.name) if won else None


def unheld(role: str, partitions: set[int]) -> set[int]:
    """Those of `partitions` whose lease for `role` nobody holds."""
    held = (
        Lease.objects.live().filter(role=role, partition__in=partitions).values_list("partition", flat=True)
    )
    return partitions - set(held)
