"""Silences, in PostgreSQL."""

from typing import Any, ClassVar, Final
from uuid import uuid4

from django.db import models

from relaycore.alerting.labelled import matchers as matching
from relaycore.alerting.labelled.silences import Silence as Decided
from relaycore.times import to_milliseconds

MOST_NOTE_CHARS: Final = 10_000


class Silence(models.Model):
    """Alerts that all matchers match are not told of from `starts_at` until `ends_at`.

    matchers: as the API has them
    """

    id = models.UUIDField(primary_key=True, default=uuid4)
    matchers = models.JSONField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    created_by = models.CharField(max_length=MOST_NOTE_CHARS, blank=True)
    comment = models.CharField(max_length=MOST_NOTE_CHARS, blank=True)
    annotations = models.JSONField(default=dict, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        db_table = "silences"
        ordering: ClassVar[list[Any]] = ["starts_at", "id"]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["ends_at"], name="silences_until"),
        ]

    def __str__(self) -> str:
        return str(self.id)

    @property
    def decided(self) -> Decided:
        """What is decided by it."""
        return Decided(
            str(self.id),
            matching.several(self.matchers),
            to_milliseconds(self.starts_at),
            to_milliseconds(self.ends_at),
        )
