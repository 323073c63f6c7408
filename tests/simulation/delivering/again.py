"""What is seen to before it is leased, within one fetch: `subscribers_app.pulling.again` and `room`."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from relaycore.delivering.giving import Handed
from relaycore.delivering.holding import Reread

Decided = TypeVar("Decided")


@dataclass(frozen=True)
class Unplaced:
    """Nothing is to be written: these are to be handed out, and there has to be room first."""

    positions: Sequence[str]


class Again:
    """Of one fetch.

    most:       so many messages are leased at most
    is_crowded: other answers are on their way: there is room for any number of messages, or for none
    read:       by id, whether what comes again is there
    reread:     by key, what was read to go on with it
    """

    def __init__(self, random: random.Random, most: int, *, is_crowded: bool) -> None:
        self._random = random
        self.most = most
        self._is_crowded = is_crowded
        self._placed: Sequence[str] = ()
        self.read: dict[bytes, bool] = {}
        self.reread: dict[str, Reread] = {}

    def take(self, positions: Sequence[str]) -> int:
        """Room for the first ones of these, in place of what it had; for how many."""
        fitting = self._random.randint(0, len(positions)) if self._is_crowded else len(positions)
        self._placed = positions[:fitting]
        return fitting

    def unless_unplaced(self, handed: Decided) -> Decided | Unplaced:
        """This, if there is room for what is to be handed out by it."""
        if not isinstance(handed, Handed) or handed.leased is None or not self._is_crowded:
            return handed
        positions = [one.position for one in (*handed.leased.again, *handed.leased.new)]
        return handed if set(positions) <= set(self._placed) else Unplaced(positions)

    def make_room(self, unplaced: Unplaced) -> None:
        """For these, or for the first ones: then no more are leased."""
        fitting = self.take(unplaced.positions)
        if fitting < len(unplaced.positions):
            self.most = fitting
