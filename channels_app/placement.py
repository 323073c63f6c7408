"""Keeps each channel in the partition that its name belongs to."""

from django.conf import settings

from channels_app.models import Channel
from leases_app.models import ClockTimestamp
from relaycore.channels import partition_of

Move = tuple[str, int, int]
"""A channel, the partition it was in, and the one where it belongs."""


def moves() -> list[Move]:
    """The channels that `RELAY_PARTITIONS` has moved."""
    rows = Channel.objects.order_by("channel").values_list("channel", "partition").iterator()
    placed = ((name, partition, partition_of(name, settings.RELAY_PARTITIONS)) for name, partition in rows)
    return [move for move in placed if move[1] != move[2]]


def settle(moved: list[Move]) -> None:
    """Write the new partitions into the table."""
    wanted = {name: partition for name, _, partition in moved}
    rows = list(Channel.objects.filter(channel__in=wanted))
    for row in rows:
        row.partition = wanted[row.channel]
        row.updated_at = ClockTimestamp()
    Channel.objects.bulk_update(rows, ["partition", "updated_at"], batch_size=1000)
