"""Who may watch what: asked of whoever comes, before there is a viewer."""

import asyncio

from django.db import connection
from rest_framework.exceptions import PermissionDenied

from access_app.remembering import Holder
from channels_app import presence
from messages_app.publishing.door import channel as known_channel
from relaycore.errors import ChannelUnknown
from relaycore.rights import READ


def require_right(holder: Holder, channel: str | None) -> None:
    """Refuse who may not read this channel, or none at all.

    Raises:
        PermissionDenied: why.
    """
    if (refusal := holder.refusal(READ, channel)) is not None:
        raise PermissionDenied(refusal)


async def require_channel(name: str) -> None:
    """Nothing, if there is or was such a channel. Of one that there is, memory says so.

    Raises:
        ChannelUnknown: there never was.
        django.db.Error, PyMongoError: nobody says.
    """
    try:
        await known_channel(name)
    except ChannelUnknown:
        await asyncio.to_thread(_existed, name)


def _existed(name: str) -> None:
    try:
        presence.require(name)
    finally:
        connection.close()
