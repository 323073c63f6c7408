"""What the log queue's clients know by a number, in PostgreSQL."""

from typing import Any, ClassVar

from django.db import models

from channels_app.models import Channel
from subscribers_app.models import Subscription


class QueueProducer(models.Model):
    """A producer of the log queue: its id is the key. It has one topic."""

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "queue_producers"

    def __str__(self) -> str:
        return str(self.pk)


class QueueConsumer(models.Model):
    """A consumer of the log queue: its id is the key. Where it stands, its subscription says."""

    subscription = models.OneToOneField(Subscription, on_delete=models.CASCADE, related_name="+")

    class Meta:
        db_table = "queue_consumers"

    def __str__(self) -> str:
        return str(self.pk)


class QueueClient(models.Model):
    """What a program calls itself (`prod_client`), and how many messages it has produced."""

    name = models.CharField(max_length=255, unique=True)
    messages = models.PositiveBigIntegerField()

    class Meta:
        db_table = "queue_clients"
        ordering: ClassVar[list[Any]] = ["name"]

    def __str__(self) -> str:
        return self.name
