"""Long poll: the same as server-sent events, in answers of JSON, for clients without streams."""

import time
from typing import Any, Final

from live.counting import COUNTS
from live.sse import frames
from live.viewer import Shown, Viewer
from messages_app.searching.rows import row
from relaycore.live.owed import CAUGHT_UP
from relaycore.live.ring import Entry

MOST_BYTES: Final = 4 << 20
"""An answer has no more once it has as many."""

_LOOK_SECONDS: Final = 5.0
"""So long a filter looks through what there is already, also for who does not want to wait."""


async def poll(viewer: Viewer, seconds: float, most: int) -> dict[str, Any]:
    """Messages and events as soon as there are any; none if none come within the time."""
    began = time.monotonic()
    until = began + seconds
    entries: list[Entry] = []
    events: list[dict[str, Any]] = []
    size = 0
    while viewer.reason is None:
        found = await viewer.take()
        if isinstance(found, Shown):
            entries += found.entries
            size += sum(entry.size for entry in found.entries)
            if len(entries) >= most or size >= MOST_BYTES:
                break
        elif found is not None:
            events.append(frames.as_json(found))
        elif viewer.is_woken and time.monotonic() < began + max(seconds, _LOOK_SECONDS):
            continue  # A filter has taken nothing of what it has looked at so far.
        elif entries or any(event["event"] != CAUGHT_UP for event in events) or time.monotonic() >= until:
            break
        else:
            await viewer.wait(until - time.monotonic(), is_exact=True)
    COUNTS.delivered["poll"] += len(entries)
    return {
        "messages": [row(dict(entry.document)) for entry in entries],
        "id": viewer.owed.place,
        "events": events,
    }
