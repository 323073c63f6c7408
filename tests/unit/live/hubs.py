"""Clients of a hub that nobody has connected: as `Hub.open` makes them, without a server."""

from typing import Any

from live.counting import COUNTS
from live.hub import Hub, Viewer, Wanted
from relaycore.live.owed import Owed
from relaycore.live.ring import Ring
from relaycore.live.walk import Walk
from relaycore.position import START

EPOCH = "0" * 12


def come(hub: Hub, key: str | None = None, channel: str = "c") -> Viewer:
    """One more that watches a channel in which there is nothing."""
    wanted = Wanted((channel,), "token:1", key)
    owed = Owed(EPOCH, 1, 0, [Walk(0, {channel: Ring(channel, START, 1 << 20)}, None)])
    topics: dict[str, Any] = {}
    viewer = Viewer(hub, wanted, owed, topics)
    hub._enter(wanted.who)
    hub._viewers[viewer] = None
    COUNTS.connections += 1
    return viewer
