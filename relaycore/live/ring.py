"""What came last in one channel, kept for all who watch it: a place in it is a number, and costs nothing.

A ring has all of its channel that stands above `floor` and below `below`, but for what retention had deleted
before it could be read (`holes`). What comes is put at its end; what
is too much for it leaves at its beginning, and `floor` rises. A client that is below the floor reads the
archive until it is above (`relaycore.live.walk`).

`below` is what makes it possible to put channels together in order: no message of this channel that is not
here yet stands below it. It may be a watermark, so nobody goes on from it after a break.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

from relaycore.delivering.skipping import Skip
from relaycore.storing.expiring import Expired

MOST_MESSAGES: Final = 10_000

_BEHIND: Final = ":"
"""A position with this behind it is right above the position itself: digits end below it."""

_OVERHEAD: Final = 500
"""Bytes that a message takes beside its payload, about."""

Document = Mapping[str, Any]
"""A stored message, with at least `channel`, `position` and `message`."""


class Entry:
    """One message. `forms`: as it is written for clients, by whoever writes it, once for all of them."""

    __slots__ = ("document", "forms", "position", "size", "upto")

    def __init__(self, document: Document, before: int = 0) -> None:
        self.document = document
        self.position: str = document["position"]
        self.size = len(document["message"]) + _OVERHEAD
        self.upto = before + self.size
        """Bytes of the ring up to and with this one, over all its life."""
        self.forms: dict[Any, Any] = {}


class Ring:
    """Of one channel. Entries are numbered over all its life: the first that it still has is `first`."""

    def __init__(self, channel: str, floor: str, most_bytes: int, most_messages: int = MOST_MESSAGES) -> None:
        self.channel = channel
        self.floor = floor
        self.below = floor + _BEHIND
        self.first = 0
        self._most_bytes = most_bytes
        self._most_messages = most_messages
        self._entries: list[Entry] = []
        self._passed = 0  # So many at the beginning of the list have left.
        self._total = 0
        self.holes: list[Skip] = []
        """What retention had deleted before it was read, over all its life."""
        self.forms: dict[Any, Any] = {}
        """As some of its entries are written, one behind another, by whoever writes them."""
        self._expired = 0
        self._checked = self.below

    @property
    def head(self) -> int:
        """The number of the entry that comes next."""
        return self.first + len(self._entries) - self._passed

    @property
    def newest(self) -> str:
        """The position of the last entry; without any, where the ring begins."""
        return self._entries[-1].position if len(self._entries) > self._passed else self.floor

    @property
    def size(self) -> int:
        """Bytes that it holds, about."""
        return self._total - self._upto(self.first)

    def note(self, expired: Expired, below: str) -> None:
        """What was on record as deleted, asked after everything below this was read; before that is put here.

        What was deleted above where it was asked last may have been deleted before it could be read.
        """
        if expired.upto >= self._checked and expired.messages > self._expired:
            self.holes.append(Skip(self.newest, expired.upto, expired.messages - self._expired))
        self._checked = below
        self._expired = max(self._expired, expired.messages)
        # What is deleted is not shown from here for much longer than from the archive.
        while self.first < self.head and self.entry(self.first).position <= expired.upto:
            self._let_go()

    def append(self, documents: Sequence[Document]) -> None:
        """What comes next, in the order of positions, above all that is here."""
        for document in documents:
            entry = Entry(document, self._total)
            self._total = entry.upto
            self._entries.append(entry)
        self.know(self.below)
        self.shrink(self._most_bytes)

    def know(self, below: str) -> None:
        """Everything of the channel that stands below this is here by now. After a loss that may be less."""
        self.below = max(below, self.newest + _BEHIND)

    def shrink(self, most_bytes: int) -> None:
        """Let go what is too much; the last one stays."""
        while self.head - self.first > 1 and (
            self.head - self.first > self._most_messages or self.size > most_bytes
        ):
            self._let_go()
        # All at once from time to time: each time would cost as much as the ring is long.
        if self._passed > len(self._entries) // 8:
            del self._entries[: self._passed]
            self._passed = 0

    def above(self, position: str) -> int:
        """The number of the first entry above a position that is not below the floor."""
        low, high = self._passed, len(self._entries)
        while low < high:
            middle = (low + high) // 2
            if self._entries[middle].position <= position:
                low = middle + 1
            else:
                high = middle
        return self.first + low - self._passed

    def some(self, start: int, most_bytes: int) -> list[Entry]:
        """Entries from this number on, at most so many bytes, but one at least if there is one."""
        at = self._at(start)
        if at >= len(self._entries):
            return []
        if self._total - self._upto(start) <= most_bytes:
            return self._entries[at:]
        stop, limit = at + 1, self._upto(start) + most_bytes
        while stop < len(self._entries) and self._entries[stop].upto <= limit:
            stop += 1
        return self._entries[at:stop]

    def entry(self, number: int) -> Entry:
        """One that it has."""
        return self._entries[self._at(number)]

    def waiting(self, start: int) -> int:
        """Bytes that stand from this number on."""
        return self._total - self._upto(max(start, self.first))

    def _let_go(self) -> None:
        self.floor = self._entries[self._passed].position
        self.first += 1
        self._passed += 1

    def _at(self, number: int) -> int:
        return number - self.first + self._passed

    def _upto(self, number: int) -> int:
        """Bytes of the ring before this entry."""
        at = self._at(number)
        if at < len(self._entries):
            return self._entries[at].upto - self._entries[at].size
        return self._total


def share(sizes: Collection[int], most: int) -> int:
    """What each of these may have, so that all together have so much at most. Who has less, loses nothing."""
    left, among = most, len(sizes)
    for size in sorted(sizes):
        if size * among >= left:
            return left // among
        left -= size
        among -= 1
    return most
