"""Whether there ever was a channel of this name. What asks for one that never was is a misspelt name."""

import logging
from typing import cast

import redis
from django.conf import settings

from access_app.models import AuditEntry
from channels_app.models import Channel, Gap
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.channels import partition_of
from relaycore.errors import ChannelUnknown

log = logging.getLogger(__name__)


def require(name: str) -> None:
    """Nothing, if it is or was relayed, or has messages, as far as anybody knows.

    Raises:
        ChannelUnknown: it is not, and never was.
    """
    if not (_is_known(name) or _had_messages(name)):
        raise ChannelUnknown(f'There is no channel "{name}", and there never was one.')


def _is_known(name: str) -> bool:
    return (
        Channel.objects.filter(channel=name).exists()
        or Gap.objects.filter(channel=name).exists()
        or AuditEntry.objects.filter(action="channel started", target=name).exists()
    )


def _had_messages(name: str) -> bool:
    """Whether the writer has noted when its last message came. True while Redis cannot say."""
    key = keys.last_at(partition_of(name, settings.RELAY_PARTITIONS))
    try:
        return cast(list[bytes | None], shared_redis().hmget(key, [name]))[0] is not None
    except redis.RedisError as exc:
        log.warning("Redis does not answer, so nobody knows whether there was a channel: %s", exc)
        return True
