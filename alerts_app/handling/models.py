"""What people have done with alerts and nobody has been told yet, in PostgreSQL."""

from typing import Any, ClassVar, Final
from uuid import uuid4

from django.db import models

from relaybase.postgres.clock import ClockTimestamp

_EVENT_CHARS: Final = 20


class Handled(models.Model):
    """One thing that somebody has done. `uuid` is what it is stored once by.

    rule:      of the alert, which knows the channel; what waits goes with it
    rule_uuid: what that was then: it is another one once the rule begins anew
    event:     `relaycore.alerting.acknowledging`
    """

    uuid = models.UUIDField(default=uuid4)
    rule = models.ForeignKey("alerts_app.Rule", models.CASCADE, related_name="+")
    rule_uuid = models.UUIDField()
    alert = models.CharField(max_length=24)
    event = models.CharField(max_length=_EVENT_CHARS)
    at = models.DateTimeField(db_default=ClockTimestamp())

    class Meta:
        db_table = "alerts_handled"
        ordering: ClassVar[list[Any]] = ["id"]

    def __str__(self) -> str:
        return f"{self.alert} {self.event}"
