"""Who may still watch: asked again each second, of memory, for each key once."""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Final

from rest_framework.exceptions import NotAuthenticated

from access_app.remembering import Holder
from live.admitting import NOBODY, Watchers, refusal
from live.viewer import Viewer
from relaycore.errors import Disconnected

log = logging.getLogger(__name__)

REVOKED: Final = "revoked"
AWAY: Final = "away"

_MOST_AT_ONCE: Final = 100


class Rights:
    """Of one event loop. `authority`: who knows the keys; None: none is valid."""

    def __init__(self) -> None:
        self.authority: Watchers | None = None

    async def look(self, viewers: Sequence[Viewer]) -> None:
        """Send away whose key is not valid any more, or lacks a right on one of its channels."""
        by_key: dict[str, list[Viewer]] = {}
        for viewer in viewers:
            if viewer.wanted.key is not None:
                by_key.setdefault(viewer.wanted.key, []).append(viewer)
        keys = list(by_key)
        for some in (keys[at : at + _MOST_AT_ONCE] for at in range(0, len(keys), _MOST_AT_ONCE)):
            await asyncio.gather(*(self._look(key, by_key[key]) for key in some))

    async def _look(self, key: str, viewers: Sequence[Viewer]) -> None:
        try:
            holder = await self._holder(key)
            refused = await _refused(holder, {name for viewer in viewers for name in viewer.wanted.channels})
        except Exception as exc:
            # For as long as rights are remembered nothing has been said of it, and then nothing holds.
            if not isinstance(exc, Disconnected):
                log.error("live: nobody expected this", exc_info=exc)
            for viewer in viewers:
                viewer.cut(AWAY)
            return
        for viewer in viewers:
            if not refused.isdisjoint(viewer.wanted.channels):
                viewer.cut(REVOKED)

    async def _holder(self, key: str) -> Holder | None:
        if self.authority is None:
            return None
        return self.authority.known(key) or await self.authority.find(key)


async def _refused(holder: Holder | None, channels: Iterable[str]) -> set[str]:
    """Those of the channels that he may not watch. None: his key is not valid any more."""
    refused = set()
    for channel in channels:
        try:
            if await refusal(holder or NOBODY, channel) is not None:
                refused.add(channel)
        except NotAuthenticated:
            refused.add(channel)
    return refused
