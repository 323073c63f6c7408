"""The lease table."""

from datetime import datetime
from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.expressions import CombinedExpression

from relaybase.postgres.clock import ClockTimestamp, Seconds
from relaycore.alerting.processing import MOST_UNSTORED

SETTLING_SECONDS: Final = 5.0
"""A term needs them until a standby can have proved anything in it."""

PROOF_SECONDS: Final = 2.5
"""For so long a proof that a partition is heard is good. Leaders renew it each second."""


class LeaseQuerySet(models.QuerySet["Lease"]):
    """Leases by what PostgreSQL's clock says of them."""

    def live(self) -> Self:
        """Held, and renewed within the time to live."""
        return self.filter(_is_live())

    def hearing(self) -> Self:
        """Live, and proven to hear within the last `PROOF_SECONDS`. A proof from the future is none."""
        return self.filter(_is_live(), _is_proven())

    def unproven(self) -> Self:
        """The opposite of `hearing`."""
        return self.exclude(_is_live(), _is_proven())

    def described(self) -> Self:
        """Add `is_live`, `hears` (live, and proven to hear) and `now`, by PostgreSQL's clock."""
        return self.annotate(is_live=_is_live(), hears=_is_live() & _is_proven(), now=ClockTimestamp())

    def silent(self) -> Self:
        """Not renewed for longer than the time to live, whether it lapsed or was released."""
        return self.filter(_is_silent())

    def free(self, or_up_to: int | None = None) -> Self:
        """Never held, released, or lapsed: the opposite of `live`. With an epoch, those up to it as well.

        A heartbeat that lies in the future was written while PostgreSQL's clock was ahead. It would
        keep everybody out until that clock has come there.
        """
        # Conditions on columns only. An UPDATE that has waited for a row looks at its columns again, but
        # answers a subquery from before the wait: it would take a lease that was renewed meanwhile.
        free = Q(holder="") | Q(heartbeat_at=None) | _is_silent()
        return self.filter(free if or_up_to is None else free | Q(epoch__lte=or_up_to))


def _oldest_live() -> CombinedExpression:
    return ClockTimestamp() - Seconds(models.Value(settings.RELAY_LEASE_TTL_SECONDS))


def _newest_live() -> CombinedExpression:
    return ClockTimestamp() + Seconds(models.Value(settings.RELAY_LEASE_TTL_SECONDS))


def _is_live() -> Q:
    return Q(heartbeat_at__gt=_oldest_live(), heartbeat_at__lte=_newest_live()) & ~Q(holder="")


def _is_proven() -> Q:
    oldest = ClockTimestamp() - Seconds(models.Value(PROOF_SECONDS))
    return Q(heard_at__gt=oldest, heard_at__lte=ClockTimestamp())


def _is_silent() -> Q:
    return Q(heartbeat_at__lte=_oldest_live()) | Q(heartbeat_at__gt=_newest_live())


def roles() -> list[tuple[str, str]]:
    """As choices. A function, so that one more role is one more line, and no migration."""
    return Lease.Role.choices


class Lease(models.Model):
    """Who leads, listens to, or writes one partition, or has one shard of endpoints or rules.

    One row for each role, partition (of a sender and a processor: shard) and slot. A listener holds two: its
    seat, which says that it lives, and, if it leads, the leadership.
    """

    class Role(models.TextChoices):
        """What the holder does."""

        LISTENER = "listener", "leading listener"
        SEAT = "seat", "listener"
        WRITER = "writer", "writer"
        SENDER = "sender", "sender"
        PROCESSOR = "processor", "processor"

    role = models.CharField(max_length=16, choices=roles)
    partition = models.PositiveIntegerField()
    slot = models.PositiveSmallIntegerField(default=0, help_text="Which of a partition's listeners.")
    epoch = models.PositiveBigIntegerField(default=0, help_text="Grows by one with each term.")
    holder = models.CharField(
        max_length=64, blank=True, default="", help_text="Unique to one term; empty when released."
    )
    host = models.CharField(max_length=255, blank=True, default="")
    pid = models.PositiveIntegerField(default=0)
    task_id = models.CharField(max_length=64, blank=True, default="", help_text="Empty in the foreground.")
    claimed_at = models.DateTimeField(null=True, blank=True)
    # Released: when that was. So a lease that nobody holds says since when.
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    given_up = models.PositiveBigIntegerField(
        default=0, help_text="Messages that were heard and had to be let go, over all terms."
    )
    # A claim leaves it as it is: a hand-over of a partition that is heard all the time shows nothing.
    heard_at = models.DateTimeField(
        null=True, blank=True, help_text="When a leader last proved that it hears: its own tick came back."
    )
    # By Redis's clock, as gaps and positions are: no other clock can be compared with them.
    known_until = models.DateTimeField(
        null=True,
        blank=True,
        help_text="What was published up to here is on the stream, or on record as missed.",
    )
    waiting = models.PositiveBigIntegerField(
        default=0, help_text="Messages in the holder's memory that are not on the stream, or not stored, yet."
    )
    trouble = models.TextField(blank=True, default="", help_text="What the holder cannot do, and why.")

    # With a default in the table itself: processes of an earlier version may still add rows.
    writes = models.PositiveBigIntegerField(
        default=0,
        db_default=0,
        help_text="Grows with whatever is written under this lease. Redis knows it too: less here, and "
        "PostgreSQL went back.",
    )

    appended = models.PositiveBigIntegerField(
        default=0,
        db_default=0,
        help_text="The highest running number of a message that its holder knows to have been appended. "
        "A Redis that has lost everything knows less.",
    )

    is_protected = models.BooleanField(
        null=True,
        blank=True,
        help_text="Whether a standby has just proved that it would take over; empty: not said.",
    )

    is_live: bool
    hears: bool
    now: datetime
    """Not columns: `LeaseQuerySet.described` adds them."""

    objects = LeaseQuerySet.as_manager()

    @property
    def is_troubled(self) -> bool:
        """Whether the holder does not do what it must. Only of a row that is `described`."""
        return bool(self.trouble) or (self.role == Lease.Role.LISTENER and not self.hears)

    @property
    def is_alone(self) -> bool:
        """Whether it leads and nobody has proved that it would take over. Only of a row that is `described`.

        With one listener for each partition nobody is expected to.
        """
        leads = self.role == Lease.Role.LISTENER and self.is_live
        if not leads or self.is_protected is not False or settings.RELAY_LISTENERS_PER_PARTITION < 2:
            return False
        return self.claimed_at is None or (self.now - self.claimed_at).total_seconds() > SETTLING_SECONDS

    class Meta:
        db_table = "leases"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["role", "partition", "slot"], name="one_lease_per_slot")
        ]
        ordering: ClassVar[list[str]] = ["role", "partition", "slot"]

    def __str__(self) -> str:
        return f"{self.role} of {self.share}"

    @property
    def share(self) -> str:
        """Of what it is the lease, for a reader: `partition 0`."""
        return f"{share_of(self.role)} {self.partition}"

    @property
    def is_exact(self) -> bool:
        """Whether what waits is all. A rule takes nothing while so much that it has said is not stored."""
        return self.role != Lease.Role.PROCESSOR or self.waiting < MOST_UNSTORED


def share_of(role: str) -> str:
    """What there is one loop of this role for: `partition`, or `shard` (of the endpoints, of the rules)."""
    return "shard" if role in {Lease.Role.SENDER, Lease.Role.PROCESSOR} else "partition"


class Partitioning(models.Model):
    """Into how many partitions everything is divided. One row, made when it is first asked for."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    partitions = models.PositiveIntegerField()
    generation = models.PositiveIntegerField(default=1, help_text="Grows by one with each change of it.")
    proposed_at = models.DateTimeField(
        null=True, help_text="When listeners and writers were last proposed where they were missing."
    )

    class Meta:
        db_table = "partitioning"
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(id=1), name="one_row_of_partitioning")
        ]


class Deployment(models.Model):
    """Which deployment this is, and with which secret it works. One row, made when it is first asked for."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    identity = models.CharField(max_length=32, help_text="By chance, and never another one.")
    secret = models.CharField(max_length=64, help_text="A digest that shows whether RELAY_SECRET_KEY is it.")

    class Meta:
        db_table = "deployment"
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(condition=Q(id=1), name="one_row_of_deployment")
        ]
