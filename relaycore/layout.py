"""The layout: into how many partitions everything is divided, and which of all such divisions it is.

It stands in PostgreSQL, and beside each stream in Redis. Whoever appends names the one that he works
under, and is refused if another one stands there: a message on a stream that no writer of
today reads would be lost. While the division is changed `MOVING` stands there, and nobody appends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from relaycore.position import NEVER, order

MOVING: Final = "moving"

_AGAIN: Final = "Stop everything and run `manage.py repartition`."


@dataclass(frozen=True, slots=True)
class Layout:
    """So many partitions, and the number of this division: it grows by one with each."""

    partitions: int
    generation: int

    def __str__(self) -> str:
        return f"{self.partitions} {self.generation}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What stands beside a stream; None for anything that is not a layout."""
        partitions, _, generation = text.partition(" ")
        if not (partitions.isdecimal() and generation.isdecimal()):
            return None
        return cls(int(partitions), int(generation))


def misfit(own: Layout, beside: Sequence[str | None]) -> str | None:
    """Why nothing may be appended under the layout `own`; None: it may.

    beside: what stands beside the streams; None: nothing, as Redis is new or has lost its data
    """
    for text in beside:
        if text in {None, str(own)}:
            continue
        if text == MOVING:
            return f"The channels are being moved to other partitions, or that was cut short. {_AGAIN}"
        found = Layout.parse(text or "")
        if found is None:
            return f"Beside a stream in Redis stands a layout that nobody has written. {_AGAIN}"
        gone_back = "Redis" if found.generation < own.generation else "PostgreSQL"
        return (
            f"In Redis everything is divided into {found.partitions} (division {found.generation}), in "
            f"PostgreSQL into {own.partitions} (division {own.generation}): {gone_back} has gone back. "
            f"{_AGAIN}"
        )
    return None


def newest(own: Layout, beside: Sequence[str | None], streams: int = 0) -> Layout:
    """The most partitions that anybody knows of, and the newest division.

    streams: of so many partitions there are streams; both who knew of them may have gone back
    """
    known = [own, *(found for text in beside if text and (found := Layout.parse(text)))]
    return Layout(max(streams, *(one.partitions for one in known)), max(one.generation for one in known))


def greatest(ids: Sequence[str]) -> str:
    """The greatest id of entries of streams, such as `1732190000000-0`; `0-0` without any."""
    return max(ids, key=order, default=NEVER)
