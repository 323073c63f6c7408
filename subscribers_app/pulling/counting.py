"""How many messages a process has handed out, and how many are done: figures for people and metrics.

Whoever hands out counts in memory; the clerk brings the sums to PostgreSQL every `BRING_SECONDS`, all of them
in one statement. A process that is killed takes its last seconds along, and a sum of which nobody knows
whether it was taken is brought again.
"""

import asyncio
import logging
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from relaybase.connections import one_per_loop
from relaycore.errors import one_line
from subscribers_app.pulling.clerk import clerk
from subscribers_app.pulling.sums import NEVER, Sums

log = logging.getLogger(__name__)

BRING_SECONDS: Final = 5.0


class Counted:
    """What this process has counted of one subscription, and not yet brought."""

    def __init__(self, id: int, note: "Callable[[Counted], None]") -> None:
        self.id = id
        self._note = note
        self._is_noted = False
        self._forget()
        self._page: Sequence[str] = ()
        self._upto = ""
        """Of the page that was handed out last in mode `cursor`, what is not committed, and where it ends."""
        self._committed = ""

    def handed_out(self, messages: int) -> None:
        """So many went out, some of them not for the first time."""
        if messages:
            self._handed_out += messages
            self._handed_out_at = time.monotonic()
            self._note_once()

    def show(self, positions: Iterable[str], upto: str) -> None:
        """Mode `cursor`: the page that went out last, which ends at this position."""
        self._page, self._upto = tuple(positions), upto

    def done(self, messages: int) -> None:
        """So many were confirmed."""
        if messages:
            self._done += messages
            self._done_at = time.monotonic()
            self._note_once()

    def nacked(self, messages: int) -> None:
        """So many were given back."""
        if messages:
            self._nacked += messages
            self._nacked_at = time.monotonic()
            self._note_once()

    def committed(self, position: str) -> None:
        """Mode `cursor`: everything up to here is done. How much that is, only who handed it out knows."""
        if position == self._committed:
            return
        self._committed = position
        if position > self._upto:
            self._uncounted += 1
            self._done_at = time.monotonic()
            self._page, self._upto = (), ""
            self._note_once()
            return
        end = bisect_right(self._page, position)
        self._page = self._page[end:]
        self.done(end)

    def take(self) -> Sums:
        """All of it, which is gone from here then."""
        sums = Sums(
            self._handed_out,
            self._done,
            self._nacked,
            self._uncounted,
            self._handed_out_at,
            self._done_at,
            self._nacked_at,
        )
        self._forget()
        return sums

    def put_back(self, sums: Sums) -> None:
        """It could not be brought."""
        both = self.take() + sums
        self._handed_out, self._done = both.handed_out, both.done
        self._nacked, self._uncounted = both.nacked, both.uncounted
        self._handed_out_at, self._done_at, self._nacked_at = both.handed_out_at, both.done_at, both.nacked_at
        self._note_once()

    def _note_once(self) -> None:
        """Until it is taken: this is called for each message."""
        if not self._is_noted:
            self._is_noted = True
            self._note(self)

    def _forget(self) -> None:
        self._is_noted = False
        self._handed_out = self._done = self._nacked = self._uncounted = 0
        self._handed_out_at = self._done_at = self._nacked_at = NEVER


class Bringing:
    """Of one event loop: a task while there is anything to bring."""

    def __init__(self) -> None:
        self._pending: set[Counted] = set()
        self._task: asyncio.Task[None] | None = None

    def note(self, counted: Counted) -> None:
        """It has something to be brought."""
        self._pending.add(counted)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._pending:
            await asyncio.sleep(BRING_SECONDS)
            await self._bring()

    async def _bring(self) -> None:
        pending, self._pending = self._pending, set()
        taken = [(counted, sums) for counted in pending if (sums := counted.take())]
        sums_of: dict[int, Sums] = {}
        for counted, sums in taken:  # One that was set to something else meanwhile has two.
            sums_of[counted.id] = sums_of.get(counted.id, Sums()) + sums
        try:
            await clerk().add_counts(sums_of)
        except Exception as exc:  # Whatever it is: it is tried again, and nobody waits for it.
            log.info("what was counted of subscriptions is brought later: %s", one_line(exc))
            for counted, sums in taken:
                counted.put_back(sums)


@one_per_loop
def _bringing() -> Bringing:
    return Bringing()


def counted(id: int) -> Counted:
    """Of a subscription, for whoever hands it out in this event loop."""
    return Counted(id, lambda one: _bringing().note(one))
