"""A channel that a socket has joined, and what is written of it."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from live.counting import COUNTS
from live.socketio.outbox import frame
from live.socketio.protocol import event_text
from live.viewer import Shown, Viewer
from messages_app.searching.rows import text as row_text
from messages_app.searching.rows import timestamp
from relaycore.live.owed import RESET, Told
from relaycore.live.ring import Entry

DOOR: Final = "socketio"
"""As it is counted, and what is kept of a message for it is called."""

MESSAGE: Final = "message"

_NAMES: Final = {RESET: "reset"}
"""Events that have another name here than in a stream of server-sent events."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class ChannelSeat:
    """Of one socket in one channel."""

    def __init__(self, channel: str, viewer: Viewer) -> None:
        self.channel = channel
        self.viewer = viewer

    async def take(self) -> bytes | None:
        """What comes next, as frames; None: nothing for now."""
        found = await self.viewer.take()
        if found is None:
            return None
        if isinstance(found, Shown):
            COUNTS.delivered[DOOR] += len(found.entries)
            return found.joined(DOOR, _write)
        return frame(event_text(_NAMES.get(found.event, found.event), _encode(self._told(found))))

    def _told(self, found: Told) -> Mapping[str, Any]:
        data = {
            name: timestamp(value) if isinstance(value, datetime) else value
            for name, value in found.data.items()
            if name not in {"channel", "channels"}
        }
        owed = self.viewer.owed
        # While there is more to be told a position would say too much.
        place = {"position": owed.id} if owed.is_told_all else {}
        return {"channel": self.channel, **data, **place}


def _write(shown: Shown) -> bytes:
    return b"".join(
        frame(event_text(MESSAGE, _row(entry), f'"{id}"'))
        for entry, id in zip(shown.entries, shown.ids(), strict=True)
    )


def _row(entry: Entry) -> str:
    if (found := entry.forms.get(DOOR)) is None:
        found = entry.forms[DOOR] = row_text(entry.document)
    return str(found)
