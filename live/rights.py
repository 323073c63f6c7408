"""Who may still watch: asked again each second, of memory, for each key once."""

import asyncio
from collections.abc import Sequence
from typing import Final

from access_app.remembering import Remembered
from live.viewer import Viewer
from relaycore.errors import Disconnected
from relaycore.rights import READ

REVOKED: Final = "revoked"
AWAY: Final = "away"

_MOST_AT_ONCE: Final = 100


class Rights:
    """Of one event loop. `authority`: who knows the keys; None: nobody is let in with one."""

    def __init__(self) -> None:
        self.authority: Remembered | None = None

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
        if self.authority is None:
            return
        try:
            holder = self.authority.known(key) or await self.authority.find(key)
        except Disconnected:
            # For as long as rights are remembered nothing has been said of it, and then nothing holds.
            for viewer in viewers:
                viewer.cut(AWAY)
            return
        refused: dict[str, bool] = {}
        for viewer in viewers:
            for channel in viewer.wanted.channels:
                if channel not in refused:
                    refused[channel] = holder is None or holder.refusal(READ, channel) is not None
                if refused[channel]:
                    viewer.cut(REVOKED)
