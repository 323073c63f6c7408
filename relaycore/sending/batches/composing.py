"""Which of the rows that are due, and of the new messages, go together next."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from relaycore.sending.items import Item

MOST_BYTES: Final = 256 * 1024
"""Of payloads in one request, about: of text its characters count.

JSON makes more of them: of bytes a third, of control characters sixfold.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Of the next batch.

    most: messages that may go together
    room: so many more may be out
    size: bytes of their payloads; one message may have more
    """

    most: int
    room: int
    size: int = MOST_BYTES


def taken(items: Iterable[Item], limits: Limits) -> Iterator[Item]:
    """Those of the first that may go together."""
    left = limits.size
    for number, one in enumerate(islice(items, min(limits.most, limits.room))):
        left -= one.size
        if number and left < 0:
            return
        yield one


def is_full(items: Collection[Item], limits: Limits) -> bool:
    """Whether nothing more could go together with the first of these."""
    if len(items) >= limits.most:
        return True
    return sum(one.size for one in items) >= limits.size


def of_rows(
    ready: Sequence[Item], is_torn: Callable[[str], bool], limits: Limits, *, is_ordered: bool
) -> Sequence[Item] | None:
    """Of rows that are due; empty: nothing goes now. None: what is next has no room, and nothing goes before.

    ready:   that may be tried, by position. In order the first of them is the lowest on its way
    is_torn: whether there are more messages of this batch that may be tried soon
    """
    looked = set[tuple[str, int, int]]()
    for first in ready:
        kind = _kind(first)
        if kind in looked:
            continue
        looked.add(kind)
        together = [one for one in ready if _kind(one) == kind]
        if not kind[0]:
            alone = Limits(1, limits.room) if is_ordered else limits
            return list(taken(together, alone)) or None
        if not is_torn(kind[0]):
            return together if len(together) <= limits.room else None
        if is_ordered:
            break
    return ()


def _kind(item: Item) -> tuple[str, int, int]:
    """Those of one kind go together: of one batch, or of none and tried as often."""
    row = item.row
    return ("", 0, 0) if row is None else (row.batch, row.attempt, row.before)
