"""How much is read or written at once."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class ReadSize:
    """How many stream entries to ask for, so that one read brings about `target` messages.

    Batches are counted in messages, since an entry carries anything from one to
    thousands. The count doubles while reads come back full and thin, halves when one
    brought far too much.
    """

    target: int
    entries: int = 16
    most: int = 1024

    def learn(self, entries: int, messages: int) -> None:
        """Take in what the last read brought."""
        if messages > 1.5 * self.target:
            self.entries = max(1, self.entries // 2)
        elif entries >= self.entries and messages < 0.75 * self.target:
            self.entries = min(self.most, self.entries * 2)


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """As `itertools.batched`, which Python has from 3.12 on."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
