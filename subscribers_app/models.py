"""Subscriptions and deliveries, in PostgreSQL. Times that decide are PostgreSQL's, as ms since 1970."""

import json
from hashlib import blake2b
from typing import Any, ClassVar, Final

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q

from channels_app.models import Channel
from relaybase.postgres.clock import ClockTimestamp
from relaycore.delivering import settings
from relaycore.delivering.holding import KEY_CHARS
from relaycore.delivering.leasing import State as DeliveryState
from relaycore.policy import MAX_FIELD_LENGTH
from relaycore.position import POSITION_CHARS, START

# A part of an address that is one or two dots is folded by clients.
NAME_PATTERN: Final = r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}"
NAME: Final = RegexValidator(
    rf"\A{NAME_PATTERN}\Z",
    "A name has 1 to 100 letters, digits, dots, underscores and dashes, and not one or two dots alone.",
)


class Subscription(models.Model):
    """A named reader of one channel, with a cursor (`relaycore.delivering`)."""

    class Kind(models.TextChoices):
        """Who moves the cursor."""

        PULL = "pull", "pull"
        WEBHOOK = "webhook", "webhook"

    class Mode(models.TextChoices):
        """How messages are taken."""

        CURSOR = settings.CURSOR, "cursor"
        LEASE = settings.LEASE, "lease"

    class State(models.TextChoices):
        """Whether anything is handed out."""

        ACTIVE = "active", "active"
        PAUSED = "paused", "paused"

    class Order(models.TextChoices):
        """In which messages are leased."""

        NONE = settings.NO_ORDER, "none"
        CHANNEL = settings.BY_CHANNEL, "channel"
        FIELD = settings.BY_FIELD, "field"

    class Scope(models.TextChoices):
        """What a filter looks at."""

        BODY = "body", "body"
        ATTRIBUTES = "attributes", "attributes"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="subscriptions")
    kind = models.CharField(max_length=8, choices=Kind, default=Kind.PULL, editable=False)
    mode = models.CharField(max_length=8, choices=Mode)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE, editable=False)
    reason = models.TextField(blank=True, default="", editable=False, help_text="Why it is paused.")
    filter = models.JSONField(null=True, blank=True, help_text="Empty: every message.")
    filter_scope = models.CharField(max_length=10, choices=Scope, default=Scope.BODY)
    order = models.CharField(max_length=8, choices=Order, default=Order.NONE)
    order_field = models.CharField(
        max_length=MAX_FIELD_LENGTH,
        blank=True,
        default="",
        db_default="",
        help_text='With the order "field": for each value of it one after another.',
    )
    delay_seconds = models.PositiveIntegerField(
        default=0,
        validators=[MaxValueValidator(settings.MOST_DELAY_SECONDS)],
        help_text="A message is handed out this long after it was received.",
    )
    ack_deadline_seconds = models.PositiveIntegerField(
        default=settings.DEADLINE_SECONDS,
        validators=[
            MinValueValidator(settings.LEAST_DEADLINE_SECONDS),
            MaxValueValidator(settings.MOST_DEADLINE_SECONDS),
        ],
        help_text="So long a worker has for a message, unless it asks for more.",
    )
    max_deliveries = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="After so many attempts a message is a dead letter. Empty: never.",
    )
    max_outstanding = models.PositiveIntegerField(
        default=settings.MOST_OUTSTANDING,
        validators=[MinValueValidator(1), MaxValueValidator(settings.LARGEST_MOST_OUTSTANDING)],
        help_text="So many messages may be on their way at once.",
    )
    # The cursor: `relaycore.delivering.cursor.Cursor`.
    position = models.CharField(max_length=POSITION_CHARS, default=START, editable=False)
    fetched = models.CharField(max_length=POSITION_CHARS, default=START, editable=False)
    generation = models.PositiveBigIntegerField(default=1, editable=False)
    # Another one with each change of what stands above the cursor's columns.
    revision = models.PositiveBigIntegerField(default=1, db_default=1, editable=False)
    # By which filters what waits was chosen: `relaycore.delivering.holding.Earlier`. None: by this one.
    earlier_filters = models.JSONField(null=True, editable=False)
    # What is known of what retention has deleted: `relaycore.delivering.skipping.Noted`.
    noted_upto = models.CharField(max_length=POSITION_CHARS, blank=True, default="", editable=False)
    noted_messages = models.PositiveBigIntegerField(default=0, editable=False)
    last_fetch_at = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "subscriptions"
        ordering: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def order_as_json(self) -> str | dict[str, str]:
        """As it is given: "none", "channel", or by which field."""
        return {"field": self.order_field} if self.order == self.Order.FIELD else self.order

    @property
    def tag(self) -> str:
        """Another one whenever an operator has changed something. Handing out changes nothing."""
        shown = [self.pk, self.state, self.filter, self.filter_scope, self.order, self.delay_seconds]
        shown += [self.ack_deadline_seconds, self.max_deliveries, self.max_outstanding]
        shown += [self.revision]  # What only its kind has is in no column here.
        return blake2b(json.dumps(shown, sort_keys=True).encode(), digest_size=12).hexdigest()


class Delivery(models.Model):
    """One message on its way, or dead: `relaycore.delivering.leasing.Delivery`."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="deliveries")
    position = models.CharField(max_length=POSITION_CHARS)
    message_id = models.BinaryField(max_length=12)
    state = models.CharField(max_length=8, choices=[(state.value, state.value) for state in DeliveryState])
    attempt = models.PositiveIntegerField(default=0)
    before = models.PositiveIntegerField(default=0)
    key = models.CharField(max_length=KEY_CHARS, blank=True, default="", db_default="")
    batch = models.CharField(max_length=24, blank=True, default="", db_default="")
    due_at = models.BigIntegerField(default=0)
    deadline_at = models.BigIntegerField(default=0)
    why = models.TextField(blank=True, default="")
    created_at = models.DateTimeField(db_default=ClockTimestamp())
    died_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "deliveries"
        verbose_name_plural = "deliveries"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["subscription", "position"], name="one_delivery_of_a_message"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # What is on its way is few; the dead may be many, and nobody who leases looks at them.
            models.Index(
                fields=["subscription", "position"],
                condition=~Q(state=DeliveryState.DEAD.value),
                name="deliveries_on_their_way",
            ),
            models.Index(
                fields=["subscription", "died_at"],
                condition=Q(state=DeliveryState.DEAD.value),
                name="deliveries_dead",
            ),
            models.Index(
                fields=["subscription", "key", "position"],
                condition=~Q(state=DeliveryState.DEAD.value) & ~Q(key=""),
                name="deliveries_of_a_key",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.position}"


class HeldBack(models.Model):
    """What waits behind another message of its key: `relaycore.delivering.holding.Held`."""

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="held_back")
    key = models.CharField(max_length=KEY_CHARS)
    above = models.CharField(max_length=POSITION_CHARS)
    upto = models.CharField(max_length=POSITION_CHARS)
    messages = models.PositiveBigIntegerField()

    class Meta:
        db_table = "held_back"
        verbose_name_plural = "held back"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["subscription", "key"], name="one_row_of_a_key"),
        ]

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.key}"


class Undelivered(models.Model):
    """What a subscription was never given, or is given no more, and why."""

    class Cause(models.TextChoices):
        """Why."""

        RETENTION = "retention", "deleted by retention before it was handed out"
        EXPIRED = "expired", "deleted by retention while it was on its way, waited for its turn, or was dead"
        SOUGHT = "seek", "the cursor was moved past it"
        SKIPPED = "skip", "somebody skipped it"
        DROPPED = "drop", "somebody dropped the dead letter"
        AGED = "age", "older than the subscription wants"

    subscription = models.ForeignKey(Subscription, on_delete=models.CASCADE, related_name="undelivered")
    cause = models.CharField(max_length=10, choices=Cause)
    after = models.CharField(max_length=POSITION_CHARS, help_text="Above this position")
    upto = models.CharField(max_length=POSITION_CHARS, help_text="up to this one.")
    messages = models.PositiveBigIntegerField(null=True, help_text="At most so many. Empty: not known.")
    at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        db_table = "undelivered"
        verbose_name_plural = "undelivered"
        ordering: ClassVar[list[str]] = ["-at", "-id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "-at", "-id"], name="undelivered_of_a_subscription")
        ]

    def __str__(self) -> str:
        return f"{self.cause} {self.after} {self.upto}"


class SubscriptionCounts(models.Model):
    """What web processes have counted of a subscription, ever (`subscribers_app.pulling.counting`).

    Figures for people and metrics: a process that is killed takes its last seconds along. Nothing in
    PostgreSQL ties a row to its subscription, so that one that is deleted meanwhile fails nobody's write.
    """

    subscription = models.OneToOneField(
        Subscription, models.CASCADE, primary_key=True, related_name="counts", db_constraint=False
    )
    handed_out = models.PositiveBigIntegerField(default=0)
    done = models.PositiveBigIntegerField(default=0)
    nacked = models.PositiveBigIntegerField(default=0, db_default=0)
    uncounted = models.PositiveBigIntegerField(default=0)
    # When that was last.
    handed_out_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    nacked_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "subscription_counts"
        verbose_name_plural = "subscription counts"

    def __str__(self) -> str:
        return str(self.subscription_id)


class SubscriptionMinute(models.Model):
    """The same within one minute of PostgreSQL's clock (`subscribers_app.pulling.sums`)."""

    pk = models.CompositePrimaryKey("subscription_id", "is_odd")
    subscription = models.ForeignKey(
        Subscription, models.CASCADE, related_name="minutes", db_constraint=False, db_index=False
    )
    is_odd = models.BooleanField()
    minute = models.BigIntegerField(help_text="Since 1970.")
    handed_out = models.PositiveBigIntegerField()
    done = models.PositiveBigIntegerField()
    nacked = models.PositiveBigIntegerField()
    uncounted = models.PositiveBigIntegerField()

    class Meta:
        db_table = "subscription_minutes"

    def __str__(self) -> str:
        return f"{self.subscription_id} {self.minute}"


class SubscriptionsMark(models.Model):
    """One row, another one in each transaction that changes what is remembered of subscriptions.

    Triggers do that, as for channels (`channels_app.models.ChannelsMark`). Where a cursor stands is not
    remembered.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField()

    class Meta:
        db_table = "subscriptions_mark"

    def __str__(self) -> str:
        return str(self.mark)
