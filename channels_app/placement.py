"""Keeps each channel in the partition that its name belongs to."""

import functools

from django.conf import settings

from channels_app.models import Channel
from relaycore.channels import partition_of


@functools.cache
def settle() -> int:
    """Move the channels that `RELAY_PARTITIONS` has moved; how many. Once in a process.

    A row keeps its partition so that a listener finds its channels by an index. When the
    number of partitions has changed, the rows follow with the first proposal after that.
    """
    moved = []
    for row in Channel.objects.only("id", "channel", "partition").iterator():
        partition = partition_of(row.channel, settings.RELAY_PARTITIONS)
        if partition != row.partition:
            row.partition = partition
            moved.append(row)
    Channel.objects.bulk_update(moved, ["partition"], batch_size=1000)
    return len(moved)
