"""Redis, played: the stream that a rule reads, the one that it writes, the fence, its clock. It loses data.

Its writer is played in `World`. Whoever reads it asks the archive for messages, and this for how far they go.
"""

import copy
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Final

from relaycore.alerting.causes import at_of
from relaycore.alerting.items import Made
from relaycore.position import NEVER, first_of, next_position

START_MS: Final = 1_700_000_000_000


class Away(Exception):
    """It does not answer, or it is not known what became of it."""


class Over(Exception):
    """Somebody else has the shard."""


@dataclass
class Waiting:
    """An entry that is not stored yet: its position and the number of its message."""

    position: str
    number: int


@dataclass
class Data:
    """What it loses, all or what came last."""

    last: tuple[int, int] = (0, 0)
    waiting: list[Waiting] = field(default_factory=list)
    out_last: tuple[int, int] = (0, 0)
    out: list[tuple[str, Made]] = field(default_factory=list)
    fence: tuple[int, int] | None = None


class Redis:
    """run: which run of the server it is. has_fallen: its writer does not know yet that data is lost."""

    def __init__(self) -> None:
        self.clock = START_MS
        self.run = 1
        self.has_fallen = self.knows_watermark = False
        self.data = Data()
        self.copy = Data()
        self.highest = self.clock
        """The highest time that its clock, or an id, has ever shown."""

    # --- the stream that is read ---------------------------------------------------------------

    def append(self, number: int) -> None:
        self.data.waiting.append(Waiting(self._next(), number))

    def _next(self) -> str:
        self.data.last = self._above(self.data.last)
        return first_of("{}-{}".format(*self.data.last))

    def _above(self, last: tuple[int, int]) -> tuple[int, int]:
        above = (self.clock, 0) if self.clock > last[0] else (last[0], last[1] + 1)
        self.highest = max(self.highest, above[0])
        return above

    @property
    def last_id(self) -> str:
        return "{}-{}".format(*self.data.last) if self.data.last != (0, 0) else NEVER

    def look(self) -> tuple[str, str]:
        """The last id and the watermark, at one instant."""
        if not self.knows_watermark:
            raise Away
        if self.data.waiting:
            return self.last_id, self.data.waiting[0].position
        return self.last_id, max(first_of(f"{self.clock}-0"), next_position(self.last_id))

    def raise_to(self, ms: int) -> None:
        """Time passes, though nothing comes."""
        if ms > self.data.last[0]:
            self.data.last = ms, 0
            self.highest = max(self.highest, ms)

    def recover(self, mark: str, stored: Container[int], told: Container[bytes]) -> None:
        """Its writer has noticed: ids go on from the mark, and what waits below is appended anew.

        stored, told: what it had stored once, as it knows by running numbers
        """
        ms, number = map(int, mark.split("-"))
        self.data.last = max(self.data.last, (ms, number))
        again = [one.number for one in self.data.waiting if one.number not in stored]
        self.data.waiting = [Waiting(self._next(), one) for one in again]
        self.data.out = [(at, one) for at, one in self.data.out if one.id not in told]
        self.has_fallen, self.knows_watermark = False, True

    # --- the stream that is written ------------------------------------------------------------

    def set_fence(self, epoch: int) -> None:
        if self.data.fence is not None and self.data.fence > (epoch, self.run):
            raise Over
        self.data.fence = epoch, self.run

    def say(self, epoch: int, made: list[Made]) -> None:
        """Append outputs, if this is still the term. Their positions are not below their causes."""
        self.check(epoch)
        for one in made:
            self.data.out_last = self._above(max(self.data.out_last, (at_of(one.cause), 0)))
            self.data.out.append((first_of("{}-{}".format(*self.data.out_last)), one))

    def check(self, epoch: int) -> None:
        if self.data.fence != (epoch, self.run):
            raise Over

    # --- what goes wrong -----------------------------------------------------------------------

    def remember(self) -> None:
        """What it will come back with."""
        self.copy = copy.deepcopy(self.data)

    def lose(self, *, all: bool) -> None:
        self.data = Data() if all else copy.deepcopy(self.copy)
        self.copy = copy.deepcopy(self.data)
        self.run += 1
        self.has_fallen = True
        self.knows_watermark = self.knows_watermark and not all
