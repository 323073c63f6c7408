"""The channel of the alerts, which is made if there is none."""

import asyncio
import logging
from typing import Final

from django.db import connection

from access_app.actor import Actor, acting
from channels_app import registration as channels
from channels_app.remembering import KnownChannel
from messages_app.publishing.door import channel
from relaycore.errors import ChannelExists, ChannelUnknown
from relaycore.policy import EVERY

log = logging.getLogger(__name__)

CHANNEL: Final = "relay/alertmanager"
"""What begins to fire, and what fires no longer."""

DOOR: Final = "relay/"
"""Only Relay itself makes channels whose names begin so."""


async def known_channel() -> KnownChannel:
    """That of the alerts, which is made if there is none."""
    try:
        return await channel(CHANNEL)
    except ChannelUnknown:
        await asyncio.to_thread(make_channel)
        return await channel(CHANNEL)


def make_channel() -> None:
    """Make it, in a thread. Somebody else may be quicker."""
    try:
        with acting(Actor("relay", "RELAY_ALERTMANAGER")):
            channels.start(CHANNEL, EVERY, door=DOOR, listen=False, republish=False)
    except ChannelExists:
        log.debug("%s is there already", CHANNEL)
    finally:
        connection.close()
