"""The channel on which Relay tells of itself."""

import contextlib
from typing import Final

from access_app.actor import Actor, acting
from channels_app import registration
from channels_app.models import Channel
from relaycore.errors import ChannelExists
from relaycore.policy import EVERY

DOOR: Final = "relay/"
NAME: Final = f"{DOOR}events"

RETENTION_SECONDS: Final = 30 * 86_400


def ensure() -> Channel:
    """The channel, which is made if there is none. It keeps messages for 30 days; that may be changed.

    Raises:
        UnfitServer: the partitions, the secret or the Redis database are not this deployment's.
        django.db.Error: PostgreSQL does not answer.
    """
    if (found := Channel.objects.filter(channel=NAME).first()) is not None:
        return found
    with acting(Actor("relay", "events")), contextlib.suppress(ChannelExists):
        return registration.start(NAME, EVERY, RETENTION_SECONDS, DOOR, listen=False)
    return Channel.objects.get(channel=NAME)
