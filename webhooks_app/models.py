"""Endpoints and webhooks, in PostgreSQL, and attempts, in MongoDB.

Times that decide are PostgreSQL's, as ms since 1970.
"""

from typing import Any, ClassVar, Final, Self

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django_mongodb_backend.fields import ObjectIdAutoField, ObjectIdField

from relaybase.mongo.indexes import ExpiringIndex, PartialIndex
from relaybase.postgres.clock import ClockTimestamp
from relaycore.sending.batches.setting import BATCH_MESSAGES, LARGEST_BATCH_MESSAGES
from subscribers_app.models import NAME, Subscription

MOST_URL_CHARS: Final = 2048
LEAST_TIMEOUT_SECONDS: Final = 1
TIMEOUT_SECONDS: Final = 15
MOST_TIMEOUT_SECONDS: Final = 30
CONCURRENCY: Final = 8
MOST_CONCURRENCY: Final = 64
LEAST_PER_SECOND: Final = 0.001
MOST_PER_SECOND: Final = 100_000.0


class Endpoint(models.Model):
    """Where webhooks go. One URL of one owner has one confirmation, one set of secrets, one breaker.

    `revision` is another one with each change of the URL, the headers, the secrets, the limits or the state.
    The breaker's columns, `failing_since`, `failed_at` and what was last are written by the sender that holds
    its shard, and by nobody else while there is one; what enables it again sets them back under another
    revision.
    """

    class Confirmation(models.TextChoices):
        """How it is known that whoever has the URL wants what comes there."""

        CHALLENGE = "challenge", "challenge: it echoes what was sent to it, or somebody follows the link"
        OPTIONS = "options", "options: it allows it, as CloudEvents' webhooks do"
        VOUCHED = "vouched", "vouched: somebody who manages every channel answers for it"

    class State(models.TextChoices):
        """Whether anything is sent to it."""

        PENDING = "pending", "pending"
        ACTIVE = "active", "active"
        DISABLED = "disabled", "disabled"

    class Breaker(models.TextChoices):
        """Whether it is left alone for a while."""

        CLOSED = "closed", "closed"
        OPEN = "open", "open"
        HALF_OPEN = "half-open", "half-open"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="endpoints")
    url = models.CharField(max_length=MOST_URL_CHARS)
    headers = models.BinaryField(default=b"", help_text="Encrypted: a JSON object. Empty: none.")
    confirmation = models.CharField(max_length=9, choices=Confirmation, default=Confirmation.CHALLENGE)
    confirmed_at = models.DateTimeField(null=True, editable=False, help_text="Empty: this URL is not.")
    state = models.CharField(max_length=8, choices=State, default=State.PENDING, editable=False)
    reason = models.TextField(blank=True, default="", editable=False, help_text="Why it is not active.")
    is_given_up = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="A sender has disabled it, and no person."
    )
    timeout_seconds = models.PositiveSmallIntegerField(
        default=TIMEOUT_SECONDS,
        validators=[MinValueValidator(LEAST_TIMEOUT_SECONDS), MaxValueValidator(MOST_TIMEOUT_SECONDS)],
        help_text="So long an attempt may take, from the connection to the end of the answer.",
    )
    max_concurrency = models.PositiveSmallIntegerField(
        default=CONCURRENCY,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_CONCURRENCY)],
        help_text="So many attempts may be under way at once.",
    )
    max_per_second = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_PER_SECOND), MaxValueValidator(MOST_PER_SECOND)],
        help_text="So many attempts begin in a second, at most. Empty: as many as it takes.",
    )
    tls_ca = models.TextField(
        blank=True, default="", db_default="", help_text="In PEM. Empty: the authorities of the system."
    )
    tls_certificate = models.TextField(
        blank=True, default="", db_default="", help_text="In PEM: as whom Relay comes. Empty: as nobody."
    )
    tls_key = models.BinaryField(
        default=b"", db_default=b"", help_text="Encrypted: the key to it, in PEM. Empty: none."
    )
    breaker = models.CharField(max_length=9, choices=Breaker, default=Breaker.CLOSED, editable=False)
    breaker_until = models.BigIntegerField(default=0, editable=False)
    breaker_failures = models.PositiveIntegerField(default=0, editable=False)
    failing_since = models.BigIntegerField(null=True, editable=False)
    failed_at = models.BigIntegerField(null=True, editable=False)
    last_status = models.PositiveSmallIntegerField(null=True, editable=False)
    last_failure = models.CharField(max_length=20, blank=True, default="", editable=False)
    last_attempt_at = models.DateTimeField(null=True, editable=False)
    last_success_at = models.DateTimeField(null=True, editable=False)
    revision = models.PositiveBigIntegerField(default=1, db_default=1, editable=False)
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "endpoints"
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["owner", "url"], name="one_endpoint_of_an_owner_and_url"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tag(self) -> str:
        """Another one whenever its settings or its state have changed. Sending changes nothing."""
        return f"{self.pk}-{self.revision}"


class SecretQuerySet(models.QuerySet["EndpointSecret"]):
    """Secrets by what PostgreSQL's clock says of them."""

    def signing(self) -> Self:
        """Those that sign now, the newest first."""
        return self.filter(Q(ends_at=None) | Q(ends_at__gt=ClockTimestamp())).order_by("-created_at", "-id")


class EndpointSecret(models.Model):
    """With what is signed. A rotation makes another one, and lets that of before sign for a while longer."""

    class Kind(models.TextChoices):
        """As Standard Webhooks names the signatures."""

        SYMMETRIC = "v1", "v1: HMAC-SHA256"
        ASYMMETRIC = "v1a", "v1a: ed25519"

    endpoint = models.ForeignKey(Endpoint, models.CASCADE, related_name="secrets")
    kind = models.CharField(max_length=3, choices=Kind)
    value = models.BinaryField(help_text="Encrypted: the text whsec_…, or of v1a whsk_….")
    public = models.CharField(
        max_length=60, blank=True, default="", help_text="Of v1a the public key, whpk_…; of v1 empty."
    )
    created_at = models.DateTimeField(db_default=ClockTimestamp())
    ends_at = models.DateTimeField(null=True, help_text="Until when it signs. Empty: it is the one of now.")

    objects = SecretQuerySet.as_manager()

    class Meta:
        db_table = "endpoint_secrets"
        ordering: ClassVar[list[str]] = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.endpoint_id} {self.kind}"


class Challenge(models.Model):
    """That an endpoint was asked for its confirmation. What it has to answer is kept as a digest.

    Rows outlive their endpoint until they expire: they are what the requests to a host are counted by.
    """

    endpoint = models.ForeignKey(Endpoint, models.SET_NULL, null=True, related_name="challenges")
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    url = models.CharField(max_length=MOST_URL_CHARS)
    host = models.CharField(max_length=255)
    digest = models.BinaryField(max_length=32, unique=True)
    asked_at = models.DateTimeField(db_default=ClockTimestamp())
    expires_at = models.DateTimeField(db_index=True)
    outcome = models.CharField(max_length=200, blank=True, default="", help_text="Empty: none yet.")

    class Meta:
        db_table = "challenges"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["host", "asked_at"], name="challenges_of_a_host"),
            models.Index(fields=["owner", "asked_at"], name="challenges_of_an_owner"),
        ]

    def __str__(self) -> str:
        return f"{self.host}, until {self.expires_at:%Y-%m-%d %H:%M}"


class Webhook(models.Model):
    """What a subscription of the kind "webhook" has more than others.

    `revision` of the subscription is another one with each change here.
    """

    class Format(models.TextChoices):
        """What a request has in it: of the last two many messages, of all others one."""

        RAW = "raw", "raw"
        STANDARD = "standard", "standard"
        CLOUDEVENTS_BINARY = "cloudevents-binary", "cloudevents-binary"
        CLOUDEVENTS_STRUCTURED = "cloudevents-structured", "cloudevents-structured"
        CLOUDEVENTS_BATCH = "cloudevents-batch", "cloudevents-batch"
        NDJSON = "ndjson", "ndjson"

    subscription = models.OneToOneField(
        Subscription, models.CASCADE, primary_key=True, related_name="webhook"
    )
    endpoint = models.ForeignKey(Endpoint, models.PROTECT, related_name="webhooks")
    format = models.CharField(max_length=22, choices=Format, default=Format.STANDARD)
    batch_messages = models.PositiveSmallIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(LARGEST_BATCH_MESSAGES)],
        help_text=f"So many messages go together at most, in a format for batches. Empty: {BATCH_MESSAGES}.",
    )
    schedule_seconds = models.JSONField(
        null=True, blank=True, help_text="How long it waits before each attempt. Empty: as the standard says."
    )
    max_age_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="What was received longer ago is not sent. Empty: everything is."
    )

    class Meta:
        db_table = "webhooks"

    def __str__(self) -> str:
        return str(self.subscription_id)


class WebhooksMark(models.Model):
    """One row, another one in each transaction that changes what a sender remembers.

    Triggers do that, as for subscriptions (`subscribers_app.models.SubscriptionsMark`): for all that stands
    here but what senders write themselves, and for subscriptions of this kind, their generation included.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField()

    class Meta:
        db_table = "webhooks_mark"

    def __str__(self) -> str:
        return str(self.mark)


class Attempt(models.Model):
    """One try to hand a message to an endpoint, in MongoDB: a log, written by senders (`attempts`)."""

    id = ObjectIdAutoField(primary_key=True, db_column="_id")
    at = models.DateTimeField(help_text="When it began.")
    # Names as well: what is looked at may have been deleted, or another one may have its name by now.
    subscription = models.BigIntegerField()
    subscription_name = models.TextField()
    endpoint = models.BigIntegerField()
    endpoint_name = models.TextField()
    message_id = ObjectIdField()
    position = models.CharField(max_length=30)
    attempt = models.IntegerField(help_text="Which one, from 1.")
    webhook_id = models.TextField(help_text="The same in each attempt.")
    status = models.IntegerField(null=True, help_text="Of the answer. Empty: there was none.")
    failure = models.TextField(null=True, help_text="Why there was no answer.")
    seconds = models.FloatField(help_text="How long it took.")
    answer = models.BinaryField(help_text="What its body began with.")
    expires_at = models.DateTimeField(help_text="When MongoDB deletes this.")

    class Meta:
        db_table = "attempts"
        # Ids grow with time. Each is read by one of these from its newest end.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["subscription", "id"], name="subscription_id"),
            models.Index(fields=["endpoint", "id"], name="endpoint_id"),
            models.Index(fields=["message_id", "id"], name="message_id_id"),
            # Alone it is the message's, and is looked for by that.
            PartialIndex(fields=["webhook_id", "id"], name="webhook_id_id", where={"is_in_batch": True}),
            ExpiringIndex(fields=["expires_at"], name="expires_at"),
        ]

    def __str__(self) -> str:
        return str(self.id)
