"""One endless task, as its lease shows it."""

from dataclasses import dataclass
from datetime import datetime

from leases_app.models import Lease, share_of


@dataclass(frozen=True, slots=True)
class Loop:
    """One endless task, as its lease shows it.

    age_seconds:       since its last heartbeat, or its end
    hears:             it lives, and has proved lately that it hears; of listeners only
    heard_age_seconds: since somebody has last proved that
    waiting:           messages in its memory that are not on the stream, or not stored, yet
    is_exact:          those are all; else it takes no more before some of them are stored
    trouble:           what it cannot do, and why
    is_alone:          nobody has proved that it would take over
    """

    role: str
    partition: int
    is_live: bool = False
    host: str = ""
    pid: int = 0
    epoch: int = 0
    claimed_at: datetime | None = None
    heartbeat_at: datetime | None = None
    age_seconds: float | None = None
    hears: bool = False
    heard_at: datetime | None = None
    heard_age_seconds: float | None = None
    waiting: int = 0
    is_exact: bool = True
    trouble: str = ""
    is_alone: bool = False

    def __str__(self) -> str:
        return f"{self.role} of {share_of(self.role)} {self.partition}"

    @property
    def waits(self) -> str:
        """How many messages, for people."""
        return f"{'' if self.is_exact else 'at least '}{self.waiting}"

    @classmethod
    def of(cls, row: Lease) -> "Loop":
        """What a lease says that is `described`."""
        return cls(
            role=row.role,
            partition=row.partition,
            is_live=bool(row.is_live),
            host=row.host,
            pid=row.pid,
            epoch=row.epoch,
            claimed_at=row.claimed_at,
            heartbeat_at=row.heartbeat_at,
            age_seconds=_age(row, row.heartbeat_at),
            hears=bool(row.hears),
            heard_at=row.heard_at,
            heard_age_seconds=_age(row, row.heard_at),
            waiting=row.waiting if row.is_live else 0,
            is_exact=not row.is_live or row.is_exact,
            trouble=row.trouble if row.is_live else "",
            is_alone=row.is_alone,
        )


def _age(row: Lease, when: datetime | None) -> float | None:
    return None if when is None else (row.now - when).total_seconds()
