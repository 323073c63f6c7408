"""Adding and removing channels: the one place for the API, the admin and commands.

The row is the truth, a listener hears what the table says. Once the row is committed a
sealed notice with the channel's name wakes the partition's listeners. It is a hint only:
whoever gets it looks the row up. So it may be lost, come late or come twice, and while
Redis is away the request goes on: listeners look at the table by themselves every
`RELAY_LISTENER_REFRESH_SECONDS`.
"""

import logging
from collections.abc import Iterable
from functools import partial

import redis
from django.db import IntegrityError, transaction

from access_app import audit
from channels_app.models import Channel, ChannelQuerySet
from leases_app import deployment
from relaybase.connections import shared_redis
from relaybase.postgres.clock import ClockTimestamp
from relaycore.capturing import notices
from relaycore.channels import check_name
from relaycore.errors import ChannelExists, ChannelUnknown
from relaycore.policy import CONTENT, Policy

log = logging.getLogger(__name__)

Place = tuple[int, str]
"""A partition, and a channel in it."""


def start(name: str, policy: Policy = CONTENT, retention_seconds: int | None = None) -> Channel:
    """Ask that a channel be relayed; its row, INACTIVE until a listener hears it.

    Raises:
        BadChannelName: it cannot be relayed.
        ChannelExists: it is relayed already.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    deployment.require_unless_away()
    channel = Channel(
        channel=check_name(name), deduplicate=policy.as_json(), retention_seconds=retention_seconds
    )
    try:
        # The unique constraint decides between two who start the same channel at once.
        with transaction.atomic():
            channel.save(force_insert=True)
            audit.record(
                "channel started",
                [name],
                deduplicate=channel.deduplicate,
                retention_seconds=retention_seconds,
            )
    except IntegrityError as exc:
        raise ChannelExists(f'The channel "{name}" is relayed already.') from exc
    _wake_after_commit([(channel.partition, name)])
    return channel


def change(name: str, policy: Policy) -> None:
    """Give a channel another deduplication policy, from the next message on.

    Raises:
        ChannelUnknown: it is not relayed.
    """
    rows = Channel.objects.filter(channel=name)
    deduplicate = policy.as_json()
    partition = rows.values_list("partition", flat=True).first()
    with transaction.atomic():
        changed = rows.update(deduplicate=deduplicate, updated_at=ClockTimestamp())
        if partition is None or not changed:
            raise unknown(name)
        audit.record("channel changed", [name], deduplicate=deduplicate)
    _wake_after_commit([(partition, name)])


def retain(name: str, seconds: int | None) -> None:
    """Keep the messages of a channel for so long, those that are stored already too; None: for ever.

    Raises:
        ChannelUnknown: it is not relayed.
    """
    with transaction.atomic():
        changed = Channel.objects.filter(channel=name).update(
            retention_seconds=seconds, updated_at=ClockTimestamp()
        )
        if not changed:
            raise unknown(name)
        audit.record("channel changed", [name], retention_seconds=seconds)


def stop(name: str) -> None:
    """Ask that a channel be relayed no more. What is stored stays.

    Raises:
        ChannelUnknown: it is not relayed.
    """
    if not stop_all(Channel.objects.filter(channel=name)):
        raise unknown(name)


def stop_all(channels: ChannelQuerySet) -> int:
    """Ask that these channels be relayed no more; how many there were."""
    with transaction.atomic():
        # Locked: of two who stop a channel at once, the log names the one who did.
        places = list(channels.select_for_update(of=("self",)).values_list("partition", "channel"))
        stopped, _ = Channel.objects.filter(channel__in=[name for _, name in places]).delete()
        if stopped:
            audit.record("channel stopped", [name for _, name in places])
            _wake_after_commit(places)
    return stopped


def wake(places: Iterable[Place]) -> bool:
    """Have the listeners look these channels up now; False if Redis could not be told."""
    told = list(places)
    partitions = {partition for partition, _ in told}
    ways = {at: (deployment.control_channel(at), deployment.seal_key(at)) for at in partitions}
    try:
        with shared_redis().pipeline(transaction=False) as pipeline:
            for partition, name in told:
                channel, key = ways[partition]
                pipeline.publish(channel, notices.look(name, key))
            pipeline.execute()
    except redis.RedisError as exc:
        log.warning("Redis does not answer, listeners will look at the channel table later: %s", exc)
        return False
    return True


def unknown(name: str) -> ChannelUnknown:
    """The error for a channel that is not in the table."""
    return ChannelUnknown(f'The channel "{name}" is not relayed.')


def _wake_after_commit(places: list[Place]) -> None:
    transaction.on_commit(partial(wake, places))
