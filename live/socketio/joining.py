"""Joining a channel: may he, is there one, and a place in it."""

from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework.exceptions import PermissionDenied

from access_app.remembering import Holder
from live.admitting import refusal, require_channel, require_no_stranger
from live.hub import Wanted, hub
from live.socketio.asked import Join
from live.socketio.seat import ChannelSeat
from relaybase.http.hot import Request
from relaybase.http.hot.answers import of_error


async def join(wanted: Join, holder: Holder, key: str, who: str) -> ChannelSeat:
    """A seat in the channel. `who`: whose connections are counted together.

    Raises:
        PermissionDenied: he may not read it, or have a filter.
        NotAuthenticated: nobody in particular may, and somebody might.
        ChannelUnknown: there never was such a channel.
        Full: there are as many as there may be.
        Disconnected, UnfitServer, PyMongoError, django.db.Error: a server does not answer.
    """
    require_filter(wanted, holder)
    if (said := await refusal(holder, wanted.channel)) is not None:
        raise PermissionDenied(said)
    await require_channel(wanted.channel)
    viewer = await hub().open(Wanted((wanted.channel,), who, key, wanted.after, wanted.wants))
    return ChannelSeat(wanted.channel, viewer)


def require_filter(wanted: Join, holder: Holder) -> None:
    """Nothing, if he may have the filter that he asks for.

    Raises:
        PermissionDenied: he may have none.
    """
    if wanted.wants is not None:
        require_no_stranger(holder)


def told_of(exc: Exception) -> Mapping[str, Any]:
    """Problem details, as every door has them."""
    answer = of_error(exc, Request("GET", {}, QueryDict(""), _nothing, 0), "socketio")
    details: Mapping[str, Any] = answer.data
    return details


async def _nothing() -> Mapping[str, Any]:
    return {"type": "http.disconnect"}
