"""Up to which number everything on record is known, though a lower one may still come.

PostgreSQL gives numbers when a row is written, and shows it when its transaction is over: one with a lower
number may come after one with a higher one. Whoever has said that he knows up to a number is not told again
of what is below it. So a number that is missing is waited for, until no transaction lasts that long: it was
given to one that was taken back. It was given before the next higher one, whose row says when it was written:
whoever looks for the first time, after a start, waits for no number that is missing since long ago.
"""

from collections.abc import Mapping
from typing import Final

WAIT_SECONDS: Final = 600.0

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

    def see(self, ages: Mapping[int, float], now: float) -> None:
        """These numbers are there now, the newest ones, from 1 on.

        ages: for how many seconds each has been on record; less than 0 says nothing
        """
        newest = max(ages, default=0)
        if self._newest is None or newest < self._newest:  # Nobody has looked, or another table is there.
            self._missing, known = {}, 0
        else:
            known = self._newest
        age = 0.0
        for number in range(newest, max(known, newest - _MOST), -1):
            if number in ages:
                age = max(ages[number], 0.0)
            else:
                self._missing[number] = now - age
        self._missing = {
            number: since
            for number, since in self._missing.items()
            if number not in ages and now - since < WAIT_SECONDS
        }
        self._newest = newest
