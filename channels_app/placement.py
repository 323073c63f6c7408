"""Keeps each channel in the partition that its name belongs to."""

from django.conf import settings

from channels_app.models import Channel, Gap
from relaybase.postgres.clock import ClockTimestamp
from relaycore.channels import partition_of
from relaycore.storing.batching import batched

_AT_ONCE = 1000

Move = tuple[str, int, int]
"""A channel, the partition it was in, and the one where it belongs."""


def moves() -> list[Move]:
    """The channels that `RELAY_PARTITIONS` has moved."""
    rows = Channel.objects.order_by("channel").values_list("channel", "partition").iterator()
    placed = ((name, partition, partition_of(name, settings.RELAY_PARTITIONS)) for name, partition in rows)
    return [move for move in placed if move[1] != move[2]]


def settle(moved: list[Move]) -> None:
    """Write the new partitions into the tables. Gaps that are over stay where they were recorded."""
    wanted = {name: partition for name, _, partition in moved}
    rows = list(Channel.objects.filter(channel__in=wanted))
    for row in rows:
        row.partition = wanted[row.channel]
        row.updated_at = ClockTimestamp()
    Channel.objects.bulk_update(rows, ["partition", "updated_at"], batch_size=_AT_ONCE)
    arrived: dict[int, list[str]] = {}
    for name, partition in wanted.items():
        arrived.setdefault(partition, []).append(name)
    for partition, names in arrived.items():
        for part in batched(names, _AT_ONCE):
            # Whoever hears the channel ends it.
            Gap.objects.filter(channel__in=part, ended_at=None).update(partition=partition)
