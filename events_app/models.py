"""What waits to be told."""

from typing import ClassVar

from django.db import models

from relaybase.postgres.clock import ClockTimestamp


class Event(models.Model):
    """One thing that has happened, until it stands on the stream. `key`: the same thing has the same one."""

    class Type(models.TextChoices):
        """What happened; the values stand in messages."""

        FAILING = "endpoint.failing", "an endpoint does nothing but fail"
        RECOVERED = "endpoint.recovered", "an endpoint has taken something again"
        DISABLED = "endpoint.disabled", "Relay has disabled an endpoint"
        DEAD_LETTERS = "subscription.dead-letters", "dead letters begin"

    key = models.CharField(max_length=200, unique=True)
    type = models.CharField(max_length=40, choices=Type)
    subject = models.CharField(max_length=200)
    data = models.JSONField()
    at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        db_table = "events"
        ordering: ClassVar[list[str]] = ["pk"]

    def __str__(self) -> str:
        return self.key
