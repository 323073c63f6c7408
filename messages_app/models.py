"""What is stored in MongoDB. Only the writer writes it (`messages_app.writing`)."""

from typing import Any, ClassVar

from django.db import models
from django_mongodb_backend.fields import ObjectIdAutoField, ObjectIdField

from relaybase.mongo.indexes import AttributeIndex


class PayloadField(models.Field):  # type: ignore[type-arg]
    """A payload as it is stored: `str` if it is UTF-8, `bytes` if it is not."""

    def get_internal_type(self) -> str:
        """Unknown to every backend, so that no conversion takes place."""
        return "PayloadField"

    def db_type(self, connection: Any) -> str:
        """MongoDB has no column types; the name is for messages."""
        return "string or binData"


class Message(models.Model):
    """A message, stored once. Its id is the deduplication key."""

    id = ObjectIdAutoField(primary_key=True, db_column="_id")
    channel = models.TextField()
    message = PayloadField()
    received_at = models.DateTimeField()
    position = models.CharField(max_length=30)
    # Only of what was published by HTTP, and only where it was said: `relaycore.described`.
    attributes = models.JSONField(null=True)
    content_type = models.TextField(null=True)
    produced_by = models.TextField(null=True)

    class Meta:
        db_table = "messages"
        # The only index of all of them besides _id: a channel's history, read from either end.
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["channel", "position"], name="channel_position"),
            # What rules have told of an alert. Nothing else is in it, and pays for it.
            AttributeIndex(fields=["attributes", "position"], attribute="alert-id", name="alert_id"),
        ]

    def __str__(self) -> str:
        return str(self.id)


class Quarantined(models.Model):
    """What came over the stream and could not be stored, with the reason."""

    id = ObjectIdAutoField(primary_key=True, db_column="_id")
    message_id = ObjectIdField(
        null=True,
        help_text="The deduplication key, under which a retry stores it. Empty where it is not known.",
    )
    channel = models.TextField(null=True, help_text="Empty where the entry could not be read at all.")
    payload = models.BinaryField()
    size = models.BigIntegerField(help_text="Bytes of the whole payload; what is kept may be cut.")
    reason = models.TextField()
    position = models.CharField(max_length=30)
    received_at = models.DateTimeField(null=True)
    attributes = models.JSONField(null=True)
    content_type = models.TextField(null=True)
    produced_by = models.TextField(null=True)
    quarantined_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, help_text="Since when somebody knows of it.")
    sent = models.CharField(max_length=30, null=True, help_text="Where it stands since it was sent again.")

    class Meta:
        db_table = "quarantine"
        verbose_name_plural = "quarantine"
        indexes: ClassVar[list[models.Index]] = [
            # The orders of the admin's lists, which end with the id.
            models.Index(fields=["quarantined_at", "id"], name="quarantined_at_id"),
            models.Index(fields=["channel", "quarantined_at", "id"], name="channel_quarantined_at_id"),
            # What nobody knows of yet: for the home page.
            models.Index(
                fields=["acknowledged_at", "quarantined_at", "id"], name="acknowledged_quarantined_id"
            ),
            # Whether what a publisher waits for has come here.
            models.Index(fields=["message_id"], name="quarantined_message_id"),
        ]

    def __str__(self) -> str:
        return str(self.id)
