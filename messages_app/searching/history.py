"""The history of a channel, newest first, in pages."""

from dataclasses import dataclass
from typing import Final

from django.conf import settings

from leases_app import partitioning
from messages_app.models import Message
from messages_app.searching import watermark
from relaycore.channels import partition_of

MOST_PER_PAGE: Final = 1000

PAGE_SIZE: Final = 16 << 20
"""A page ends early once its payloads have this size together: 1,000 of 1 MiB are a gigabyte."""

_AT_ONCE: Final = 4
"""So many are held before their size is looked at."""


@dataclass(frozen=True, slots=True)
class Page:
    """Messages, newest first.

    watermark: everything below this position is in MongoDB; None: unknown, Redis is away
    last:      the position below which the next page begins; None at the end
    """

    messages: list[Message]
    watermark: str | None
    last: str | None


def read(channel: str, *, limit: int, below: str | None = None) -> Page:
    """At most `limit` messages of `channel` whose position is below `below`.

    Raises:
        django.db.DatabaseError, pymongo.errors.PyMongoError: MongoDB cannot answer.
        UnfitServer: `RELAY_PARTITIONS` is not what the data are divided into.
    """
    partitioning.require()
    # Before MongoDB is asked: see there.
    mark = watermark.read(partition_of(channel, settings.RELAY_PARTITIONS))
    bounds = [position for position in (below, mark) if position is not None]
    found = Message.objects.filter(channel=channel)
    if bounds:
        found = found.filter(position__lt=min(bounds))
    messages: list[Message] = []
    size = 0
    # One more than asked for shows whether there is a next page.
    for message in found.order_by("-position")[: limit + 1].iterator(_AT_ONCE):
        if len(messages) == limit or size >= PAGE_SIZE:
            return Page(messages, mark, messages[-1].position)
        messages.append(message)
        size += len(message.message)
    return Page(messages, mark, None)
