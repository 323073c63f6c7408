"""Making topics, producers and consumers: in threads, since they are made seldom."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final, TypeVar

from django.db import connection, transaction
from django.db.models import F

from access_app.actor import Actor, acting
from channels_app import registration
from channels_app.models import Channel
from compat_app.models import QueueClient, QueueConsumer, QueueProducer
from relaycore.channels import LOG_QUEUE
from relaycore.delivering.beginning import Start
from relaycore.delivering.settings import CURSOR
from relaycore.errors import ChannelExists, SubscriptionExists
from relaycore.policy import EVERY
from relaycore.position import START
from subscribers_app import registration as subscriptions

_TRIES: Final = 10

Made = TypeVar("Made")


async def in_a_thread(actor: Actor, work: Callable[[], Made]) -> Made:
    """Do it for somebody, with a connection to PostgreSQL that is given back."""

    def run() -> Made:
        try:
            with acting(actor):
                return work()
        finally:
            connection.close()

    return await asyncio.to_thread(run)


def topics() -> list[str]:
    """The names of the channels that are topics, in the order in which they were made."""
    found = Channel.objects.filter(channel__startswith=LOG_QUEUE).order_by("pk")
    return list(found.values_list("channel", flat=True))


def make_topic(channel: str) -> None:
    """Make a topic: nobody listens to it, and each message is kept.

    Raises:
        ChannelExists: there is one, or somebody else was quicker.
        BadChannelName: it cannot have this name.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    registration.start(channel, EVERY, door=LOG_QUEUE, listen=False, republish=False)


def make_producer(channel: str) -> int:
    """The id of another producer of this topic, which is made if there is none. Raises as `make_topic`."""
    row = Channel.objects.named(channel)
    if row is None:
        with contextlib.suppress(ChannelExists):  # Somebody else was quicker.
            make_topic(channel)
        row = Channel.objects.get(channel=channel)
    return QueueProducer.objects.create(channel=row).pk


def make_consumer(channel: str) -> int:
    """The id of another consumer of this topic, which stands before its first message.

    Raises:
        ChannelUnknown: there is no such topic.
        SubscriptionExists: somebody else gives these names away.
        pymongo.errors.PyMongoError: MongoDB does not answer.
    """
    for attempt in range(_TRIES):
        id = _next_id()
        try:
            with transaction.atomic():
                made = subscriptions.create(name_of(id), channel, CURSOR, Start(START))
                QueueConsumer.objects.create(pk=id, subscription=made)
        except SubscriptionExists:
            if attempt == _TRIES - 1:
                raise
        else:
            return id
    raise AssertionError("not reached")


def name_of(consumer: int) -> str:
    """The name of a consumer's subscription."""
    return f"queue.consumer.{consumer}"


def produced(client: str) -> int:
    """How many messages this program has produced."""
    return QueueClient.objects.filter(name=client).values_list(F("messages"), flat=True).first() or 0


def _next_id() -> int:
    with connection.cursor() as sql:
        sql.execute("SELECT nextval(pg_get_serial_sequence('queue_consumers', 'id'))")
        (id,) = sql.fetchone()
    return int(id)
