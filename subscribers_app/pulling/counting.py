"""How many messages a process has handed out, and how many are done: figures for people and metrics.

Each desk counts in memory; `desks` brings the sums to PostgreSQL every `BRING_SECONDS`. A process that is
killed takes its last seconds along, and a sum of which nobody knows whether it was taken is brought again.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Final

BRING_SECONDS: Final = 5.0

Sums = tuple[int, int, int]
"""Handed out, done, uncounted commits."""


class Counted:
    """What this process has counted of one subscription, and not yet brought."""

    def __init__(self) -> None:
        self._handed_out = 0
        self._done = 0
        self._uncounted = 0
        self._page: Sequence[str] = ()
        self._upto = ""
        """Of the page that was handed out last in mode `cursor`, what is not committed, and where it ends."""
        self._committed = ""

    def handed_out(self, messages: int) -> None:
        """So many went out, some of them not for the first time."""
        self._handed_out += messages

    def show(self, positions: Iterable[str], upto: str) -> None:
        """Mode `cursor`: the page that went out last, which ends at this position."""
        self._page, self._upto = tuple(positions), upto

    def done(self, messages: int) -> None:
        """So many were confirmed."""
        self._done += messages

    def committed(self, position: str) -> None:
        """Mode `cursor`: everything up to here is done. How much that is, only who handed it out knows."""
        if position == self._committed:
            return
        self._committed = position
        if position > self._upto:
            self._uncounted += 1
            self._page, self._upto = (), ""
            return
        end = bisect_right(self._page, position)
        self._done += end
        self._page = self._page[end:]

    def take(self) -> Sums | None:
        """All of it, which is gone from here then; None: nothing."""
        sums = (self._handed_out, self._done, self._uncounted)
        self._handed_out = self._done = self._uncounted = 0
        return sums if any(sums) else None

    def put_back(self, sums: Sums) -> None:
        """It could not be brought."""
        self._handed_out += sums[0]
        self._done += sums[1]
        self._uncounted += sums[2]
