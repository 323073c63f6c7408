"""What concerns channels and messages alike, so that neither app can do it alone."""

import logging
import time
from datetime import UTC, datetime, timedelta

from celery import shared_task

from channels_app.models import Channel
from leases_app import partitioning
from messages_app.searching.history import at
from messages_app.writing.retention import expire

log = logging.getLogger(__name__)

_BUDGET_SECONDS = 2.0
"""So long one turn may take: the worker for short tasks makes the proposals as well."""


@shared_task
def delete_expired() -> None:
    """Delete what is older than its channel keeps it. What is not done in time is done the next time."""
    partitioning.require()
    deadline = time.monotonic() + _BUDGET_SECONDS
    now = datetime.now(UTC)
    # A channel that comes late in one turn comes early in another.
    for channel in Channel.objects.exclude(retention_seconds=None).order_by("?")[:1000]:
        below = at(now - timedelta(seconds=channel.retention_seconds or 0))
        deleted = expire(channel.channel, channel.partition, below, deadline)
        if deleted:
            log.info("%d messages have expired", deleted, extra={"channel": channel.channel})
        if time.monotonic() > deadline:
            break
