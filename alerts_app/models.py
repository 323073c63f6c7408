"""Rules, and what people say of alerts, in PostgreSQL; what processors keep of rules, in MongoDB."""

from typing import Any, ClassVar, Final
from uuid import uuid4

from django.db import models
from django_mongodb_backend.fields import ObjectIdAutoField

from alerts_app.handling.models import Handled
from alerts_app.receiving.models import HeardAlert, Transition
from alerts_app.silencing.models import Silence
from channels_app.models import Channel
from relaybase.postgres.clock import ClockTimestamp
from relaycore.position import POSITION_CHARS, START
from subscribers_app.models import NAME

__all__ = [
    "Acknowledgement",
    "Assignment",
    "Handled",
    "HeardAlert",
    "Laid",
    "Note",
    "OfAlert",
    "Rule",
    "RuleFrontier",
    "RuleProcessor",
    "RuleState",
    "RulesMark",
    "Silence",
    "Transition",
]

ALERT_CHARS: Final = 24
"""Of the id of an alert: 12 bytes, in hexadecimal."""

MOST_NOTE_CHARS: Final = 10_000

_KIND_CHARS: Final = 20


class Rule(models.Model):
    """What turns one channel into another one (`relaycore.alerting`).

    Name, kind and channels never change: another one of these is another rule. `uuid` is what the ids of its
    outputs are made of, and what is kept of it beside the messages. It is another one when the rule begins
    anew, somewhere else: then nothing that was kept of it counts any more.

    `revision` is another one with each change of the settings.
    """

    class Kind(models.TextChoices):
        """What it makes of its input."""

        WINDOW = "window", "window: what overlaps is one alert, closed when it ends"
        GROUP = "group", "group: what belongs together is told together"
        THRESHOLD = "threshold", "threshold: so many in a time"
        ABSENCE = "absence", "absence: nothing for a time"
        UNACKNOWLEDGED = "unacknowledged", "unacknowledged: an alert that nobody sees to for a time"
        FAILING = "failing", "failing: a receiver that is not reached"

    class State(models.TextChoices):
        """Whether it reads on."""

        ACTIVE = "active", "active"
        DISABLED = "disabled", "disabled"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    uuid = models.UUIDField(unique=True, default=uuid4, editable=False)
    channel = models.ForeignKey(Channel, models.PROTECT, related_name="rules")
    to = models.ForeignKey(Channel, models.PROTECT, related_name="written_by")
    kind = models.CharField(max_length=_KIND_CHARS, choices=Kind)
    settings = models.JSONField(help_text="What docs/alerts.md says of this kind.")
    revision = models.PositiveBigIntegerField(default=1, db_default=1, editable=False)
    state = models.CharField(max_length=8, choices=State, default=State.ACTIVE, editable=False)
    reason = models.TextField(blank=True, default="", editable=False, help_text="Why it is disabled.")
    position = models.CharField(
        max_length=POSITION_CHARS,
        default=START,
        editable=False,
        help_text="What stands above this one it reads.",
    )
    created_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)
    updated_at = models.DateTimeField(db_default=ClockTimestamp(), editable=False)

    class Meta:
        db_table = "rules"
        ordering: ClassVar[list[str]] = ["name"]
        constraints: ClassVar[list[Any]] = [
            models.CheckConstraint(
                condition=~models.Q(channel=models.F("to")), name="a_rule_reads_what_it_does_not_write"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def tag(self) -> str:
        """Another one whenever an operator has changed something. Reading on changes nothing."""
        return f"{self.uuid.hex}-{self.revision}-{self.state}"


class OfAlert(models.Model):
    """What somebody says of one alert. `alert` is its id, which stands with each message about it."""

    alert = models.CharField(max_length=ALERT_CHARS)
    rule = models.ForeignKey(Rule, models.CASCADE, related_name="+")
    by = models.CharField(max_length=150)
    at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.alert} {self.by}"


class Acknowledgement(OfAlert):
    """Somebody has seen it. It ends with its alert: the next one has another id."""

    note = models.CharField(max_length=MOST_NOTE_CHARS, blank=True, default="")

    class Meta:
        db_table = "acknowledgements"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["alert"], name="one_acknowledgement_of_an_alert"),
        ]


class Assignment(OfAlert):
    """Whose it is now."""

    to = models.CharField(max_length=150)

    class Meta:
        db_table = "assignments"
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["alert"], name="one_assignment_of_an_alert"),
        ]


class Note(OfAlert):
    """What somebody has written about it."""

    text = models.CharField(max_length=MOST_NOTE_CHARS)

    class Meta:
        db_table = "alert_notes"
        ordering: ClassVar[list[str]] = ["at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["alert", "at", "id"], name="notes_of_an_alert"),
        ]


class Laid(models.Model):
    """What comes along was laid (`defaults`), and is not laid again: whoever has deleted it meant that."""

    name = models.CharField(max_length=100, primary_key=True)
    at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        db_table = "rules_laid"

    def __str__(self) -> str:
        return self.name


class RulesMark(models.Model):
    """One row, another one in each transaction that changes which rules there are, or one of them.

    Triggers do that, as for subscriptions (`subscribers_app.models.SubscriptionsMark`).
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    mark = models.UUIDField()

    class Meta:
        db_table = "rules_mark"

    def __str__(self) -> str:
        return str(self.mark)


class RuleProcessor(models.Model):
    """Who has a shard of the rules now, in MongoDB: the fence of what processors keep. See `processing`."""

    # A shard, or `division`.
    id = models.CharField(primary_key=True, max_length=20, db_column="_id")
    division = models.BigIntegerField(help_text="Grows by one with each change of the number of shards.")
    shards = models.IntegerField(null=True, help_text="Of this division.")
    term = models.BigIntegerField(null=True, help_text="The highest that has begun.")
    stamped = models.BigIntegerField(null=True, help_text="The last one to which all that is kept belongs.")

    class Meta:
        db_table = "rule_processors"

    def __str__(self) -> str:
        return str(self.id)


class RuleFrontier(models.Model):
    """How far a rule has come in one shard, and the settings in force there, in MongoDB."""

    id = models.CharField(primary_key=True, max_length=80, db_column="_id")
    rule = models.CharField(max_length=32, help_text="Its UUID, in hexadecimal.")
    division = models.BigIntegerField()
    shard = models.IntegerField()
    of = models.IntegerField(help_text="So many shards have the rule.")
    term = models.BigIntegerField()
    position = models.CharField(max_length=POSITION_CHARS)
    time = models.BigIntegerField(help_text="All timers that were due up to here have fired.")
    kind = models.CharField(max_length=_KIND_CHARS)
    settings = models.TextField(help_text="JSON.")
    revision = models.BigIntegerField()
    known_from = models.CharField(max_length=POSITION_CHARS)
    unusable = models.BigIntegerField()
    last_unusable = models.TextField()
    outputs = models.BigIntegerField()
    kept_at = models.DateTimeField()

    class Meta:
        db_table = "rule_frontiers"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["rule", "division", "shard"], name="rule_division_shard"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class RuleState(models.Model):
    """What a rule keeps of one key, in MongoDB. Its id is the hash of both."""

    id = ObjectIdAutoField(primary_key=True, db_column="_id")
    rule = models.CharField(max_length=32)
    key = models.TextField(help_text="JSON: the values of the key's fields.")
    division = models.BigIntegerField()
    shard = models.IntegerField()
    by_key = models.BooleanField(help_text="Not: all keys of the rule are one.")
    term = models.BigIntegerField()
    at = models.CharField(max_length=POSITION_CHARS, help_text="The last cause in it.")
    state = models.TextField(null=True, help_text="JSON. Empty: it has ended by that.")
    due = models.BigIntegerField(null=True)
    alerts = models.JSONField(help_text="The ids of what is open.")
    shown = models.TextField(null=True, help_text="JSON: the same for people.")

    class Meta:
        db_table = "rule_states"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["division", "shard", "rule"], name="division_shard_rule"),
            models.Index(fields=["rule", "id"], name="rule_id"),
            models.Index(fields=["rule", "due"], name="rule_due"),
            models.Index(fields=["alerts"], name="alerts"),
        ]

    def __str__(self) -> str:
        return str(self.id)
