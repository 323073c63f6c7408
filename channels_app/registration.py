"""Adding, changing and removing channels: the one place for the API, the admin and commands.

The row is the truth, a listener hears what the table says. Once the row is committed a
sealed notice with the channel's name wakes the partition's listeners. It is a hint only:
whoever gets it looks the row up. So it may be lost, come late or come twice, and while
Redis is away the request goes on: listeners look at the table by themselves every
`RELAY_LISTENER_REFRESH_SECONDS`.

Listening
    Turned off, a channel is unsubscribed, and misses nothing from there on. Turned on, it has another life:
    nothing that listeners found out before counts, and it is heard first when it is heard now.

Who has looked at it
    A change may say what stood there when it was decided: `seen`, by column, or the tag of all settings. If
    that is not what stands there now, nothing is changed (`ChannelChanged`).
"""

import logging
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, TypedDict, Unpack

import redis
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError

from access_app import audit
from channels_app import readers
from channels_app.models import Channel, ChannelQuerySet, NextLife
from leases_app import deployment
from relaybase import keys
from relaybase.connections import shared_redis
from relaybase.postgres.clock import ClockTimestamp
from relaybase.redis import clock
from relaycore.capturing import notices
from relaycore.channels import check_new_name
from relaycore.errors import ChannelChanged, ChannelExists, ChannelUnknown
from relaycore.live.broadcasts import check_broadcast
from relaycore.policy import CONTENT, Policy
from relaycore.storing.shortening import Retention
from relaycore.times import from_milliseconds

log = logging.getLogger(__name__)

Place = tuple[int, str]
"""A partition, and a channel in it."""

_AT_ONCE = 500
"""So many notices one step of Redis publishes at most."""

# KEYS: appended. ARGV: the channel, and the notices. They are missed by no listener, and counted as such
# (`channels_app.listening.ticker`); where nothing can be written, a bound is larger by them.
_TELL = """
for i = 2, #ARGV do redis.call('PUBLISH', ARGV[1], ARGV[i]) end
redis.pcall('HINCRBY', KEYS[1], 'told', #ARGV - 1)
"""


_COLUMNS = (
    *("deduplicate", "republish", "public", "broadcast"),
    *("retention_seconds", "retention_before", "shortened_at"),
    *("listen", "life", "listened_until", "subscription_status", "active_since", "first_heard_at", "refusal"),
)
"""What a change may change. Not the partition: that is `placement`'s."""


class Flags(TypedDict, total=False):
    """What is so of a channel, or not; and the event by which it goes to every socket, empty: by none."""

    listen: bool
    republish: bool
    public: bool
    broadcast: str


class Settings(Flags, total=False):
    """What may be changed, by column."""

    deduplicate: str | dict[str, str]
    retention_seconds: int | None


def start(
    name: str,
    policy: Policy = CONTENT,
    retention_seconds: int | None = None,
    door: str = "",
    **flags: Unpack[Flags],
) -> Channel:
    """Make a channel; its row, INACTIVE until a listener hears it, unless nobody is to listen.

    door: as `check_new_name`

    Messages that are stored under this name already are deleted as if their time had been made shorter.

    Raises:
        BadChannelName: there can be no such channel.
        BadBroadcast: it cannot go to every socket in this way.
        ChannelExists: there is one.
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
    """
    deployment.require_unless_away()
    channel = Channel(channel=check_new_name(name, door), deduplicate=policy.as_json(), **flags)
    check_broadcast(channel.broadcast, is_public=channel.public)
    channel.retention = Retention().become(retention_seconds, Channel.objects.now())
    try:
        # The unique constraint decides between two who start the same channel at once.
        with transaction.atomic():
            channel.save(force_insert=True)
            audit.record(
                "channel started",
                [name],
                deduplicate=channel.deduplicate,
                retention_seconds=retention_seconds,
                **flags,
            )
    except IntegrityError as exc:
        raise exists(name) from exc
    wake_after_commit([(channel.partition, name)] if channel.listen else [])
    return channel


def change(
    name: str,
    policy: Policy | None = None,
    *,
    seen: Mapping[str, Any] | None = None,
    tags: Iterable[str] | None = None,
    **wanted: Unpack[Settings],
) -> Channel:
    """Change settings of a channel; its row. A policy holds from the next message on.

    seen: what stood there, by column, when this was decided
    tags: one of them is that of the settings when this was decided

    Raises:
        ChannelUnknown: there is no such channel.
        ChannelChanged: that is not what stands there now.
        BadBroadcast: it cannot go to every socket in this way.
    """
    if policy is not None:
        wanted["deduplicate"] = policy.as_json()
    # Asked before the row is locked.
    stopped_at = _redis_now() if wanted.get("listen") is False else None
    with transaction.atomic():
        channel = _locked(name)
        _require_unchanged(channel, seen or {}, tags)
        heard = (channel.listen, channel.deduplicate)
        for column, value in wanted.items():
            if column not in {"listen", "retention_seconds"}:
                setattr(channel, column, value)
        check_broadcast(channel.broadcast, is_public=channel.public)
        if "retention_seconds" in wanted:
            channel.retention = channel.retention.become(wanted["retention_seconds"], Channel.objects.now())
        if wanted.get("listen", channel.listen) is not channel.listen:
            _turn(channel, stopped_at)
        channel.save(update_fields=[*_COLUMNS, "updated_at"])
        channel.refresh_from_db()
        audit.record("channel changed", [name], **wanted)
    if (channel.listen, channel.deduplicate) != heard:
        wake_after_commit([(channel.partition, name)])
    return channel


def stop(name: str, *, tags: Iterable[str] | None = None, cascade: bool = False) -> None:
    """Remove a channel. What is stored stays.

    Raises:
        ChannelUnknown: there is no such channel.
        ChannelChanged: its settings have none of these tags.
        ChannelHasSubscriptions: somebody reads it, and is not to go as well.
    """
    with transaction.atomic():
        if tags is not None:
            _require_unchanged(_locked(name), {}, tags)
        if not stop_all(Channel.objects.filter(channel=name), cascade=cascade):
            raise unknown(name)


def stop_all(channels: ChannelQuerySet, *, cascade: bool = False) -> int:
    """Remove these channels; how many there were. What is stored stays.

    cascade: whoever reads them goes as well (`readers`)

    Raises:
        ChannelHasSubscriptions: somebody reads one of them. None is removed.
    """
    with transaction.atomic():
        # Locked: of two who stop a channel at once, the log names the one who did.
        found = channels.select_for_update(of=("self",)).values_list("partition", "channel", "listen")
        rows = list(found)
        names = [name for _, name, _ in rows]
        if cascade:
            readers.remove(names)
        try:
            stopped, _ = Channel.objects.filter(channel__in=names).delete()
        except ProtectedError as exc:
            raise readers.refusal(exc.protected_objects) from exc
        if stopped:
            audit.record("channel stopped", names)
            wake_after_commit([(partition, name) for partition, name, listen in rows if listen])
    return stopped


def wake(places: Iterable[Place]) -> bool:
    """Have the listeners look these channels up now; False if Redis could not be told."""
    names: dict[int, list[str]] = {}
    for partition, name in places:
        names.setdefault(partition, []).append(name)
    try:
        with shared_redis().pipeline(transaction=False) as pipeline:
            for partition, those in names.items():
                channel, key = deployment.control_channel(partition), deployment.seal_key(partition)
                for at in range(0, len(those), _AT_ONCE):
                    looks = [notices.look(name, key) for name in those[at : at + _AT_ONCE]]
                    pipeline.eval(_TELL, 1, keys.appended(partition), channel, *looks)
            pipeline.execute()
    except redis.RedisError as exc:
        log.warning("Redis does not answer, listeners will look at the channel table later: %s", exc)
        return False
    return True


def unknown(name: str) -> ChannelUnknown:
    """The error for a channel that is not in the table."""
    return ChannelUnknown(f'The channel "{name}" is not relayed.')


def exists(name: str) -> ChannelExists:
    """The error for a channel that is there already."""
    if Channel.objects.filter(channel=name, listen=False).exists():
        return ChannelExists(
            f'There is a channel "{name}" already, which nobody listens to. To listen, change its `listen`.'
        )
    return ChannelExists(f'The channel "{name}" is relayed already.')


def _locked(name: str) -> Channel:
    channel = Channel.objects.select_for_update().filter(channel=name).first()
    if channel is None:
        raise unknown(name)
    return channel


def _require_unchanged(channel: Channel, seen: Mapping[str, Any], tags: Iterable[str] | None) -> None:
    if tags is not None and channel.tag not in tags:
        raise ChannelChanged(f'The channel "{channel}" has been changed meanwhile. Look at it again.')
    for column, value in seen.items():
        if (now := getattr(channel, column)) != value:
            raise ChannelChanged(
                f"Somebody else has changed {column} of {channel} meanwhile, from {value!r} to {now!r}."
            )


def _turn(channel: Channel, stopped_at: datetime | None) -> None:
    """Listening is turned on, or off. What was found out of it says nothing any more."""
    channel.listen = not channel.listen
    channel.subscription_status, channel.refusal = Channel.Status.INACTIVE, ""
    channel.active_since = channel.first_heard_at = None
    if channel.listen:
        channel.life, channel.listened_until = NextLife(), None
    else:
        channel.listened_until = stopped_at or ClockTimestamp()


def _redis_now() -> datetime | None:
    """By Redis's clock, as gaps are; None: it does not answer."""
    try:
        return from_milliseconds(clock.milliseconds(shared_redis()))
    except redis.RedisError:
        return None


def wake_after_commit(places: list[Place]) -> None:
    """Have the listeners look these up once the transaction around this is committed."""
    if places:
        transaction.on_commit(partial(wake, places))
