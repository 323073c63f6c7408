"""What goes to every socket: the seat that each has in the channels with a `broadcast`, without joining.

It is one viewer of the hub, in all of these channels at once, and so read, kept, written and bounded as what
pages join (`live`). There is no list of sockets that is gone through for a message.

Where a socket begins
    Where its page had come, if its client says so (`relaycore.live.broadcasts`): then nothing is missed over
    any break. Else with what comes from now on. But after a restart all who were here come again, and old
    clients can say nothing: so in the first `AGAIN_SECONDS` in which anybody comes to a process, who says
    nothing is shown what was stored in the `AGAIN_SECONDS` before as well. He may have had some of it.

When the list changes
    Each second sockets are given another seat if it has, which goes on where the old one stood.
"""

import asyncio
import functools
import json
import time
from typing import Final

from channels_app.remembering import Broadcasts, RememberedBroadcasts
from live.counting import COUNTS
from live.hub import hub
from live.socketio.outbox import frame
from live.socketio.protocol import event_text
from live.socketio.seat import DOOR
from live.viewer import Shown, Viewer, Wanted
from relaybase.connections import one_per_loop, shared_redis
from relaybase.redis import clock
from relaycore.live import ids
from relaycore.live.broadcasts import POSITION, argument, goes_to_everybody, offset_of
from relaycore.live.ids import EventId
from relaycore.live.ring import Entry
from relaycore.position import before_millisecond

EVERYBODY: Final = ""
"""Where the seat is in an outbox. No channel is called so."""

AGAIN_SECONDS: Final = 5.0


class EverybodySeat:
    """Of one socket. `events`: by channel."""

    def __init__(self, events: Broadcasts, viewer: Viewer) -> None:
        self.viewer = viewer
        self.events = events
        # What is written once for all has to be what all of them are to be sent.
        self._form = f"{DOOR} {json.dumps(events)}"
        self._is_over = False

    async def take(self) -> bytes | None:
        """What comes next, as frames; None: nothing for now. Gaps and the like are told to who has joined."""
        while (found := await self.viewer.take()) is not None:
            if self._is_over:
                return None  # Its successor has begun below what this was.
            if isinstance(found, Shown):
                COUNTS.delivered[DOOR] += len(found.entries)
                return found.joined(self._form, self._write)
        return None

    def goes_on(self, place: EventId) -> bool:
        """Whether it has begun there: in this archive, as it is divided."""
        here = ids.parse(self.viewer.owed.place)
        return (here.epoch, here.generation) == (place.epoch, place.generation)

    def end(self) -> EventId:
        """Nothing more is taken. Where it stands."""
        self._is_over = True
        self.viewer.close()
        return ids.parse(self.viewer.owed.place)

    def _write(self, shown: Shown) -> bytes:
        frames = [
            _frame(entry, self.events[entry.document["channel"]])
            for entry in shown.entries
            if goes_to_everybody(entry.document.get("attributes"))
        ]
        return b"".join([*frames, frame(event_text(POSITION, f'"{offset_of(shown.id)}"'))])


async def broadcasts() -> Broadcasts:
    """Those that there are.

    Raises:
        Disconnected: nobody can say it now.
    """
    found = _remembered().known()
    return await _remembered().find() if found is None else found


async def seat(events: Broadcasts, who: str, after: EventId | str | None) -> EverybodySeat:
    """A seat. `who`: whose connections are counted together; `after`: as `Wanted`.

    Raises:
        Full: there are as many as there may be.
        Disconnected, UnfitServer, PyMongoError, django.db.Error: a server does not answer.
    """
    # No key: whether these are public is looked at by `Sockets`.
    return EverybodySeat(events, await hub().open(Wanted(tuple(events), who, None, after)))


async def beginning() -> str | None:
    """From where on somebody who comes, and says nothing, is shown; None: what comes from now on.

    Raises:
        RedisError: Redis does not answer.
    """
    return await _restart().place()


class _Restart:
    """Of one event loop: where who comes after a restart begins, and says nothing."""

    def __init__(self) -> None:
        self._first_at = time.monotonic()
        self._place: asyncio.Task[str] | None = None

    async def place(self) -> str | None:
        """None: with what comes from now on."""
        if time.monotonic() - self._first_at > AGAIN_SECONDS:
            return None
        if self._place is None or (self._place.done() and self._place.exception() is not None):
            self._place = asyncio.create_task(asyncio.to_thread(self._ask))
        return await asyncio.shield(self._place)

    def _ask(self) -> str:
        ago = AGAIN_SECONDS + time.monotonic() - self._first_at
        return before_millisecond(clock.milliseconds(shared_redis()) - int(ago * 1000))


def _frame(entry: Entry, name: str) -> bytes:
    if (found := entry.forms.get((DOOR, name))) is None:
        found = entry.forms[(DOOR, name)] = frame(event_text(name, argument(entry.document["message"])))
    return bytes(found)


@functools.lru_cache(maxsize=1)
def _remembered() -> RememberedBroadcasts:
    return RememberedBroadcasts()


_restart: Final = one_per_loop(_Restart)
