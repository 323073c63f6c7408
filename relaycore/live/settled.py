"""Up to which number everything on record is known, though a lower one may still come.

PostgreSQL gives numbers when a row is written, and shows it when its transaction is over: one with a lower
number may come after one with a higher one. Whoever has said that he knows up to a number is not told again
of what is below it. So a number that is missing is waited for, until no transaction lasts that long: it was
given to one that was taken back.
"""

from collections.abc import Collection
from typing import Final

WAIT_SECONDS: Final = 600.0

_NEAR: Final = 20
"""So many of the last ones may be missing for that reason, where nobody has looked before. Older ones are
missing for good."""

_MOST: Final = 1000


class Settled:
    """Of rows that are looked at again and again. `now`: seconds of any clock that only goes on."""

    def __init__(self) -> None:
        self._newest: int | None = None
        self._missing: dict[int, float] = {}

    @property
    def number(self) -> int:
        """Everything up to this one is known. 0: nothing is."""
        return min(self._missing, default=(self._newest or 0) + 1) - 1

    def see(self, numbers: Collection[int], now: float) -> None:
        """These are there now: the newest ones, from 1 on."""
        newest = max(numbers, default=0)
        if self._newest is None:
            first = newest - _NEAR
        elif newest < self._newest:  # They begin anew: another table is there.
            self._missing, first = {}, newest - _NEAR
        else:
            first = max(self._newest + 1, newest - _MOST)
        for number in range(max(first, 1), newest):
            self._missing.setdefault(number, now)
        there = set(numbers)
        self._missing = {
            number: since
            for number, since in self._missing.items()
            if number not in there and now - since < WAIT_SECONDS
        }
        self._newest = newest
