"""What retention has deleted where a window was read: when that may be put on record.

It is on record no sooner than the cursor has come where it was found missing: what is known to be deleted is
known to whoever comes next as well, and he would not look for what was in the window below it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.storing.expiring import Expired


@dataclass(frozen=True, slots=True)
class _Found:
    """`at`: the cursor has to be there, or above."""

    at: str
    noted: Noted
    missed: Skip | None


class Noting:
    """Of one window, since it was read."""

    def __init__(self, noted: Noted) -> None:
        self._noted = noted
        self._found: deque[_Found] = deque()

    def find(self, above: str, expired: Expired) -> None:
        """What stands above this place was read, and then this was on record."""
        noted, missed = skip(above, self._noted, expired)
        if noted == self._noted:
            return
        self._noted = noted
        self._found.append(_Found(min(above, expired.upto), noted, missed))

    def upto(self, position: str) -> tuple[Noted | None, Sequence[Skip]]:
        """What is to be written with a cursor that stands here; None: nothing."""
        ripe = []
        for one in self._found:
            if one.at > position:
                break
            ripe.append(one)
        if not ripe:
            return None, ()
        return ripe[-1].noted, [one.missed for one in ripe if one.missed is not None]

    def written(self, noted: Noted | None) -> None:
        """That is on record."""
        while noted is not None and self._found:
            if self._found.popleft().noted == noted:
                return
