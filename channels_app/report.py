"""What can be said of channels at this moment, from four places with a query each.

The row and its live status are in PostgreSQL, and so is the lease that says who
listens; so are the gaps. What was stored is counted by the writer, in Redis.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis

from channels_app import completeness, shortening
from channels_app.completeness import Completeness
from channels_app.models import Channel
from channels_app.shortening import Shortened
from leases_app.models import PROOF_SECONDS, Lease
from relaybase import keys, rates
from relaybase.connections import shared_redis
from relaybase.queues import LISTENERS
from relaybase.redis import presence
from relaycore.refusals import Refusal, classify
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

_SOON = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Stored:
    """What is stored of a channel. Both are None where Redis could not be asked."""

    messages: int | None = None
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Report:
    """A channel, its status, who listens to it (None: nobody), what is stored of it, what was missed.

    status:    ACTIVE or INACTIVE; None: nobody is asked to listen to it
    recent:    what was stored lately; None where Redis could not be asked
    shortened: what a shorter retention is going to delete; None: nothing
    watching:  how many watch it live; None where Redis could not be asked
    """

    channel: Channel
    status: str | None
    listener: Lease | None
    stored: Stored
    recent: rates.Recent | None
    completeness: Completeness
    shortened: Shortened | None
    watching: int | None


def reports(channels: Sequence[Channel], *, count: bool = False) -> list[Report]:
    """The reports on channels that were read by `Channel.objects.with_status()`, in their order.

    `count`: how many messages a shorter retention is going to delete as well, which takes time.
    """
    leases = listeners({channel.partition for channel in channels})
    names = _by_partition(channels)
    counts, lately = stored(names), recent(names)
    complete = completeness.of_channels(channels)
    present = watchers([channel.channel for channel in channels])
    return [
        Report(
            channel,
            channel.status,
            leases.get(channel.partition) if channel.listen else None,
            counts.get(channel.channel, Stored()),
            lately.get(channel.channel),
            complete[channel.channel],
            (shortening.counted if count else shortening.pending)(channel, channel.now),
            present.get(channel.channel),
        )
        for channel in channels
    ]


def listeners(partitions: Iterable[int]) -> dict[int, Lease]:
    """The live lease of each of these partitions that has a listener, as `described`."""
    leases = Lease.objects.live().described().filter(role=Lease.Role.LISTENER, partition__in=partitions)
    return {lease.partition: lease for lease in leases}


def stored(names: Mapping[int, list[str]]) -> dict[str, Stored]:
    """What is stored, by channel; empty while Redis is away. The names are given by partition."""
    try:
        with shared_redis().pipeline(transaction=False) as pipeline:
            for partition, of_partition in names.items():
                pipeline.hmget(keys.stored(partition), of_partition)
                pipeline.hmget(keys.last_at(partition), of_partition)
            answers = iter(pipeline.execute())
    except redis.RedisError as exc:
        log.warning("Redis does not answer, so nobody knows how many messages are stored: %s", exc)
        return {}
    found = {}
    for of_partition in names.values():
        for name, messages, last_at in zip(of_partition, next(answers), next(answers), strict=True):
            found[name] = Stored(int(messages or 0), _time(last_at))
    return found


def recent(names: Mapping[int, list[str]]) -> dict[str, rates.Recent]:
    """What was stored lately, by channel; empty while Redis is away. The names are given by partition."""
    try:
        return rates.of_channels(names)
    except redis.RedisError as exc:
        log.warning("Redis does not answer, so nobody knows what was stored lately: %s", exc)
        return {}


def watchers(names: Sequence[str]) -> dict[str, int]:
    """How many watch each channel live; empty while Redis is away."""
    try:
        return dict(zip(names, presence.watchers(shared_redis(), names), strict=True))
    except redis.RedisError as exc:
        log.warning("Redis does not answer, so nobody knows how many watch: %s", exc)
        return {}


def _by_partition(channels: Iterable[Channel]) -> dict[int, list[str]]:
    names: dict[int, list[str]] = defaultdict(list)
    for channel in channels:
        names[channel.partition].append(channel.channel)
    return names


def _time(milliseconds: bytes | None) -> datetime | None:
    return None if milliseconds is None else from_milliseconds(int(milliseconds))


def why_not_heard(channel: Channel, listener: Lease | None) -> str:
    """Why a channel is INACTIVE, and what to do, in one sentence. `listener`: by `listeners`.

    Not of one that nobody is asked to listen to.
    """
    if listener is None:
        return (
            f"Nobody listens to partition {channel.partition}: "
            f"no worker of the queue “{LISTENERS}” runs, or all its slots are taken."
        )
    where = f"The listener on {listener.host}, pid {listener.pid},"
    if channel.refusal:
        return f"{where} may not subscribe to it: {channel.refusal.rstrip('. ')}. {_remedy(channel)}"
    if _has_just_begun(listener):
        return f"{where} has just begun to lead, and waits for its first tick."
    if not listener.hears:
        return f"{where} {hears_nothing(listener.heard_at, listener.trouble)}"
    if datetime.now(UTC) - channel.updated_at < _SOON:
        return f"{where} is subscribing."
    return f"{where} does not hear it: {listener.trouble or 'Redis does not confirm the subscription.'}"


def _remedy(channel: Channel) -> str:
    """What to do about a channel that Redis refuses."""
    if classify(channel.refusal) is not Refusal.RIGHTS:
        return "It is tried again by itself."
    return f"Grant its user `&{channel.channel}`; it is tried again by itself."


def _has_just_begun(leader: Any) -> bool:
    """Whether its term is too young to have proved anything. `leader`: as `described`."""
    if leader.heard_at is not None or leader.trouble or leader.claimed_at is None:
        return False
    return bool(leader.now - leader.claimed_at < timedelta(seconds=PROOF_SECONDS))


def hears_nothing(heard_at: datetime | None, trouble: str) -> str:
    """What a listener does that lives and has not proved lately that it hears."""
    since = "yet" if heard_at is None else f"since {heard_at:%Y-%m-%dT%H:%M:%SZ}"
    why = trouble or "its own ticks do not come back from Redis."
    return f"has not proved {since} that it hears anything: {why}"
