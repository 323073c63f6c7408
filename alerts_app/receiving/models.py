"""What is known of alerts that senders repeat, and what is still to be told, in PostgreSQL."""

from typing import Any, ClassVar, Final
from uuid import uuid4

from django.db import models

_FINGERPRINT_CHARS: Final = 16


class HeardAlert(models.Model):
    """One set of labels that senders repeat while it fires (`relaycore.alerting.labelled.posted`).

    starts, ends, updated: milliseconds since 1970
    is_firing: what was told last, or waits to be told
    """

    fingerprint = models.CharField(max_length=_FINGERPRINT_CHARS, primary_key=True)
    labels = models.JSONField()
    annotations = models.JSONField()
    url = models.TextField()
    starts = models.BigIntegerField()
    ends = models.BigIntegerField()
    is_timed_out = models.BooleanField()
    is_firing = models.BooleanField()
    updated = models.BigIntegerField()

    class Meta:
        db_table = "heard_alerts"
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["ends"], condition=models.Q(is_firing=True), name="firing_until"),
        ]

    def __str__(self) -> str:
        return self.fingerprint


class Transition(models.Model):
    """A message that is still to be told. `uuid` is what it is stored once by."""

    uuid = models.UUIDField(default=uuid4)
    message = models.TextField()

    class Meta:
        db_table = "alert_transitions"
        ordering: ClassVar[list[Any]] = ["id"]

    def __str__(self) -> str:
        return str(self.uuid)
