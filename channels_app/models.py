"""The channel table."""

import json
from datetime import datetime
from hashlib import blake2b
from typing import Any, ClassVar

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import connections, models
from django.db.models import Case, Min, Q, Value, When

from channels_app.validators import content, validate_event, validate_name, validate_policy
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp
from relaycore.channels import MAX_NAME_BYTES, partition_of
from relaycore.live.broadcasts import MOST_CHARACTERS
from relaycore.policy import Policy, parse
from relaycore.storing.shortening import Retention

LEAST_RETENTION_SECONDS = 60
MOST_RETENTION_SECONDS = 100 * 365 * 86_400


class ChannelQuerySet(models.QuerySet["Channel"]):
    """Channels with what can be said of them at this moment."""

    def with_status(self) -> "ChannelQuerySet":
        """Add `status` and `now`: ACTIVE only while the partition's leader lives and proves that it hears.

        The column says what a leader found out, and nobody but a leader writes it: one that was only
        silent would not know that another one had. One that was killed, or that hears nothing and has
        not noticed yet, does not correct it; so a row counts only together with a proof of the last
        seconds. None: nobody is asked to listen to it.
        """
        live = Case(
            When(listen=False, then=Value(None)),
            When(_is_heard(), then="subscription_status"),
            default=Value(Channel.Status.INACTIVE),
            output_field=models.CharField(null=True),
        )
        return self.annotate(status=live, now=ClockTimestamp())  # type: ignore[no-redef]

    def named(self, name: str) -> "Channel | None":
        """The one of this name. PostgreSQL has no text with NUL in it, so nothing can have such a name."""
        return None if "\0" in name else self.filter(channel=name).first()

    def listened(self) -> "ChannelQuerySet":
        """Those that listeners are to hear."""
        return self.filter(listen=True)

    def now(self) -> datetime:
        """PostgreSQL's clock."""
        with connections[self.db].cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            now: datetime = cursor.fetchone()[0]
        return now

    def first_heard_at(self) -> datetime | None:
        """When one of them was heard first; None: none ever was."""
        first: datetime | None = self.aggregate(first=Min("first_heard_at"))["first"]
        return first

    def in_status(self, status: str) -> "ChannelQuerySet":
        """Those whose live status is `status`."""
        heard = _is_heard() & Q(subscription_status=Channel.Status.ACTIVE)
        return self.listened().filter(heard if status == Channel.Status.ACTIVE else ~heard)


def _is_heard() -> Q:
    """As a condition on a channel: its partition's leader proves that it hears.

    Of all leaders at once: PostgreSQL looks at them once, and not for each of a hundred thousand channels.
    """
    leaders = Lease.objects.hearing().filter(role=Lease.Role.LISTENER)
    return Q(partition__in=leaders.values("partition"))


class NextLife(models.Func):
    """A number that no channel had before."""

    template = "nextval('channels_life')"
    output_field = models.BigIntegerField()


class Channel(models.Model):
    """A log of messages under one name. What Redis publishes under it is in it, if it is to `listen`."""

    class Status(models.TextChoices):
        """Whether the channel is heard."""

        ACTIVE = "ACTIVE", "active"
        INACTIVE = "INACTIVE", "inactive"

    channel = models.CharField(max_length=MAX_NAME_BYTES, unique=True, validators=[validate_name])
    partition = models.PositiveIntegerField(editable=False, db_index=True)
    subscription_status = models.CharField(
        max_length=8, choices=Status, default=Status.INACTIVE, editable=False
    )
    active_since = models.DateTimeField(null=True, editable=False)
    # By Redis's clock. From here on, what was not heard is a gap: one that is open, if it is not heard now.
    first_heard_at = models.DateTimeField(null=True, editable=False)
    refusal = models.TextField(
        blank=True,
        default="",
        editable=False,
        help_text="Why Redis refuses this subscription alone.",
    )
    deduplicate = models.JSONField(
        default=content,
        validators=[validate_policy],
        help_text='"content": the same text once. {"field": "id"}: once for each id. "every": each publish.',
    )
    retention_seconds = models.PositiveBigIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_RETENTION_SECONDS), MaxValueValidator(MOST_RETENTION_SECONDS)],
        help_text="Messages older than this are deleted, those stored already too. Empty: never.",
    )
    listen = models.BooleanField(
        default=True, db_default=True, help_text="Hear what Redis publishes on the channel of this name."
    )
    # Another one each time that listening begins. By this listeners tell one life of a channel from the next,
    # and what they have found out of one says nothing of another.
    life = models.BigIntegerField(db_default=NextLife(), unique=True, editable=False)
    # By Redis's clock if it answered. Of what was published before, something may have been missed.
    listened_until = models.DateTimeField(null=True, editable=False)
    republish = models.BooleanField(
        default=True,
        db_default=True,
        help_text="What is published by HTTP goes out to Redis' own subscribers too.",
    )
    public = models.BooleanField(
        default=False, db_default=False, help_text="Whoever reaches this server may watch it live, unasked."
    )
    broadcast = models.CharField(
        max_length=MOST_CHARACTERS,
        blank=True,
        default="",
        db_default="",
        validators=[validate_event],
        help_text="The Socket.IO event by which it goes to every page, without joining. For public channels.",
    )
    # How long messages were kept before that was made shorter, and when it was made so
    # (`relaycore.storing.shortening`).
    retention_before = models.PositiveBigIntegerField(null=True, editable=False)
    shortened_at = models.DateTimeField(null=True, editable=False)
    # By PostgreSQL's clock, when the statement ran and not when it was committed: to be shown, no order.
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    status: str | None
    """Not a column: `ChannelQuerySet.with_status` adds it, and `now`, by PostgreSQL's clock."""

    now: datetime

    objects = ChannelQuerySet.as_manager()

    class Meta:
        db_table = "channels"
        ordering: ClassVar[list[str]] = ["channel"]
        indexes: ClassVar[list[models.Index]] = [
            # Listeners look at these alone, however many others there are.
            models.Index(fields=["partition"], condition=Q(listen=True), name="channels_listened_to"),
            models.Index(
                fields=["channel"],
                condition=Q(retention_seconds__isnull=False),
                name="channels_kept_for_a_time",
            ),
            # Looked for by every process in which somebody is connected.
            models.Index(fields=["channel"], condition=~Q(broadcast=""), name="channels_broadcast"),
        ]

    def __str__(self) -> str:
        return self.channel

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save, in the partition that the name belongs to."""
        self.partition = self.place
        self.updated_at = ClockTimestamp()
        super().save(*args, **kwargs)
        self.refresh_from_db(fields=["updated_at"])

    @property
    def place(self) -> int:
        """The partition that its name belongs to."""
        return partition_of(self.channel, settings.RELAY_PARTITIONS)

    @property
    def retention(self) -> Retention:
        """How long its messages are kept. Times are by PostgreSQL's clock."""
        return Retention(self.retention_seconds, self.retention_before, self.shortened_at)

    @retention.setter
    def retention(self, retention: Retention) -> None:
        self.retention_seconds = retention.seconds
        self.retention_before, self.shortened_at = retention.before, retention.shortened_at

    @property
    def tag(self) -> str:
        """Another one whenever an operator has changed something. What listeners find out changes nothing."""
        shown = [self.pk, self.deduplicate, self.retention_seconds, self.listen, self.republish, self.public]
        if self.broadcast:  # Without one the tag is that of before there were any.
            shown.append(self.broadcast)
        return blake2b(json.dumps(shown, sort_keys=True).encode(), digest_size=12).hexdigest()

    @property
    def policy(self) -> Policy:
        """What makes two messages of this channel the same."""
        return parse(self.deduplicate)


class ChannelsMark(models.Model):
    """One row, which becomes another one in each transaction that changes what is remembered of channels.

    Triggers do that (migration 0010), as they do for rights (`access_app.models.RightsMark`). What
    listeners find out is not remembered, and a new channel is not either.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField()

    class Meta:
        db_table = "channels_mark"

    def __str__(self) -> str:
        return str(self.mark)


def current_partitions() -> int:
    """Into how many partitions everything is divided."""
    return int(settings.RELAY_PARTITIONS)


class Gap(models.Model):
    """A window in which a partition, or one channel of it, was not heard by any listener.

    A gap belongs to channels and times, whatever the partitions are today: `partition` is one of
    `partitions`, as everything was divided when it was recorded (`relaycore.channels.places_of`).
    Open while `ended_at` is empty. `missed_at_most` is an upper bound of the messages that
    were published meanwhile; empty where it cannot be known. `covered`: another listener
    heard all of it, so that nothing is missing.
    """

    class Cause(models.TextChoices):
        """Why nobody heard."""

        NO_LISTENER = "no listener", "no listener"
        CONNECTION_LOST = "connection lost", "connection lost"
        REDIS_RESTARTED = "Redis restarted", "Redis restarted"
        MEMORY_FULL = "memory full", "memory full"
        LATE = "subscribed late", "the listener that took over had only just subscribed"
        DEAF = "hears nothing", "the listener hears nothing"
        REFUSED = "refused", "Redis refuses the subscription"
        VANISHED = "vanished", "heard, and gone from the stream before it was stored"
        ARCHIVE_RESTORED = "MongoDB restored", "stored, and gone since MongoDB was restored"
        RESTORED = "PostgreSQL restored", "PostgreSQL went back, and what it had on record is not known"

    partition = models.PositiveIntegerField()
    partitions = models.PositiveIntegerField(
        default=current_partitions, editable=False, help_text="Into how many everything was divided then."
    )
    channel = models.CharField(
        max_length=MAX_NAME_BYTES, blank=True, default="", help_text="Empty: every channel of the partition."
    )
    cause = models.CharField(max_length=32, choices=Cause)
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    missed_at_most = models.PositiveBigIntegerField(null=True, blank=True)
    covered = models.BooleanField(default=False)
    # By PostgreSQL's clock, when the row was written; empty where nobody knows. It says nothing of the gap.
    recorded_at = models.DateTimeField(null=True, editable=False, db_default=ClockTimestamp())
    # Two holes may begin in the same millisecond, and a writer that is killed records its hole again.
    first_number = models.PositiveBigIntegerField(
        null=True, editable=False, help_text="The running number of the first message that has vanished."
    )

    class Meta:
        db_table = "gaps"
        ordering: ClassVar[list[str]] = ["-began_at", "-id"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(
                fields=["partition", "channel"],
                condition=Q(ended_at=None),
                name="one_open_gap_per_partition_and_channel",
            ),
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=models.F("began_at")),
                name="a_gap_ends_after_it_began",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["partition", "-began_at"], name="gaps_of_a_partition")
        ]

    def __str__(self) -> str:
        return (
            f"gap in {self.channel or f'partition {self.partition}'} from {self.began_at:%Y-%m-%d %H:%M:%S}"
        )
