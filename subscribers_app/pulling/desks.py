"""The desks of one event loop, and the one look a second for all who wait at them."""

import asyncio
import logging
import time
from typing import Final

from relaybase.connections import one_per_loop
from relaycore.errors import one_line
from subscribers_app.pulling.choosing import Choosing
from subscribers_app.pulling.clerk import clerk
from subscribers_app.pulling.desk import Desk
from subscribers_app.remembering import KnownSubscription

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 1.0
"""Another process may have sought, or given something back; or something is due."""

LINGER_SECONDS: Final = 30.0
"""So long what was read ahead is kept while nobody asks."""


class Desks:
    """Of one event loop."""

    def __init__(self) -> None:
        self._desks: dict[int, Desk] = {}
        self._task: asyncio.Task[None] | None = None

    def of(self, known: KnownSubscription) -> Desk:
        """The desk of this subscription; another one once it is set to something else."""
        desk = self._desks.get(known.id)
        if desk is None or desk.known != known:
            if desk is not None:
                desk.close()
            desk = self._desks[known.id] = Desk(known, Choosing(known))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._look())
        return desk

    async def _look(self) -> None:
        """Until nobody has asked for anything for a while."""
        while self._desks:
            await asyncio.sleep(LOOK_SECONDS)
            self._sweep(time.monotonic())
            waited_at = {id: desk for id, desk in self._desks.items() if desk.is_waited_at}
            if not waited_at:
                continue
            try:
                found = await clerk().survey(list(waited_at))
            except Exception as exc:  # Whatever it is: those who wait are looked after again in a second.
                log.info("subscriptions: %s", one_line(exc))
                continue
            for id, desk in waited_at.items():
                if id in found:
                    desk.notice(found[id])
                else:
                    desk.wake()  # It was deleted: who waits is told so.

    def _sweep(self, now: float) -> None:
        for id, desk in list(self._desks.items()):
            if not desk.is_waited_at and now - desk.used_at > LINGER_SECONDS:
                desk.close()
                del self._desks[id]


@one_per_loop
def desks() -> Desks:
    """The ones of this event loop."""
    return Desks()
