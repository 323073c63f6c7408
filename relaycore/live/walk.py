"""One client in one partition: where it stands, and what comes next for it.

It has looked at everything of its channels up to its *position*. What is above that it gets in the order of
positions, whatever channel it is of: from the archive, a page at a time, until the rings of all its channels
reach down to where it stands; from then on from the rings, where its place is a number for each channel.

When it may leave the archive. A ring has everything above its floor. So it is enough that the client has
looked at everything up to the floor. Where a page ended with nothing more, and the watermark by which it was
read is above the floor that the rings had when it was asked for, the client stands at that floor: there is a
message, or was one. It never stands at a watermark, since positions may be given below that after a loss. If
a ring lets go what a client has not had, it is in the archive, and the client too.

Channels of one partition are put together up to where all of them are known. Beyond that a lower position
may still come, and whoever had passed it would miss it when he comes again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from typing import Any, Final, Self

from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.live.ring import Entry, Ring
from relaycore.storing.expiring import NOTHING, Expired

_NOTHING_NOTED: Final = Noted()


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What the archive has of some channels of one partition, in the order of positions.

    after:   everything above this position, as far as it goes
    is_more: there is more above the last entry; else it goes to `below`, the watermark by which it was read
    floor:   of the rings, before it was read
    expired: what was on record as deleted after it was read, by channel
    forms:   what was made of its entries for clients, by whoever makes it, once for all of them
    """

    after: str
    entries: Sequence[Entry]
    is_more: bool
    below: str
    floor: str
    expired: Mapping[str, Expired]
    forms: dict[Any, Any] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """Up to here it has everything; it is a position of a message, or `after`."""
        last = self.entries[-1].position if self.entries else self.after
        if self.is_more:
            return last
        # A deleted message has had a position, too.
        known = (self.floor, *(one.upto for one in self.expired.values()))
        return max([last, *(position for position in known if position < self.below)])

    def serves(self, position: str) -> bool:
        """Whether who stands there gets on with it."""
        return self.after <= position < self.last

    def shows_nothing(self, position: str) -> bool:
        """Whether there was nothing for who stands there: he need not ask at once for himself."""
        return not self.is_more and self.after <= position and self.last <= position


@dataclass(frozen=True, slots=True)
class Missed:
    """What it cannot get any more: messages of a channel above `after`, up to `upto`; at most so many."""

    channel: str
    after: str
    upto: str
    at_most: int

    @classmethod
    def of(cls, channel: str, skipped: Skip) -> Self:
        """With the channel that it is of."""
        return cls(channel, skipped.after, skipped.upto, skipped.at_most)


@dataclass(frozen=True, slots=True)
class Run:
    """What comes next: entries in order, of which it has looked at none.

    source: the one ring or page that they stand in, one after another from number `start`; None: of several
    """

    walk: "Walk"
    entries: Sequence[Entry]
    source: Ring | Page | None = None
    start: int = 0


@dataclass(frozen=True, slots=True)
class Read:
    """What it needs: a page of these channels above this position, one that `Page.serves` it.

    floor: of its rings
    """

    walk: "Walk"
    channels: frozenset[str]
    after: str
    floor: str


class Walk:
    """One client in one partition.

    rings:    of its channels, by name
    position: it wants what is above; None: what comes from now on
    """

    __slots__ = (
        *("_holes", "_noted", "_only", "_page", "_page_at", "_places"),
        *("channels", "partition", "position", "rings"),
    )

    def __init__(self, partition: int, rings: Mapping[str, Ring], position: str | None) -> None:
        self.partition = partition
        self.rings = rings
        self.channels = frozenset(rings)
        self.position = now_of(rings) if position is None else position
        self._only = next(iter(rings.values())) if len(rings) == 1 else None
        self._places: dict[str, int] | None = None
        self._holes: dict[str, int] = {}
        self._noted: dict[str, Noted] = {}
        self._page: Page | None = None
        self._page_at = 0

    @property
    def floor(self) -> str:
        """Up to here it has to have looked at everything before it may join."""
        return max(ring.floor for ring in self.rings.values())

    @property
    def is_at_end(self) -> bool:
        """Whether `next` has nothing, told at little cost for who has one ring. False says nothing."""
        ring, places = self._only, self._places
        if ring is None or places is None:
            return False
        return places[ring.channel] == ring.head and self._holes[ring.channel] == len(ring.holes)

    def waiting(self) -> int:
        """Bytes that the rings have for it; 0 while it reads the archive."""
        places = self._places or {}
        return sum(self.rings[name].waiting(place) for name, place in places.items())

    def next(self, most_bytes: int) -> Run | Read | Missed | None:
        """What comes next; None: nothing for now."""
        if self._page is not None:
            if (run := self._of_page(self._page, most_bytes)) is not None:
                return run
            self._page = None
        self._leave_or_join()
        if self._places is None:
            return Read(self, self.channels, self.position, self.floor)
        for name, ring in self.rings.items():
            if self._holes[name] < len(ring.holes):
                self._holes[name] += 1
                return Missed.of(name, ring.holes[self._holes[name] - 1])
        if self._only is not None:
            start = self._places[self._only.channel]
            found = self._only.some(start, most_bytes)
            return Run(self, found, self._only, start) if found else None
        merged = self._merged(self._places, most_bytes)
        return Run(self, merged) if merged else None

    def read(self, page: Page) -> list[Missed]:
        """A page has been read for it. What it cannot get any more."""
        missed = []
        for name in sorted(self.channels):
            expired = page.expired.get(name, NOTHING)
            if not expired.upto:
                continue
            noted = self._noted.get(name, _NOTHING_NOTED)
            self._noted[name], found = skip(self.position, noted, expired)
            if found is not None:
                missed.append(Missed.of(name, found))
        self._page, self._page_at = page, _above(page.entries, self.position)
        if self._page_at == len(page.entries):
            self.position = max(self.position, page.last)
        return missed

    def took(self, run: Run, count: int) -> None:
        """It has looked at so many of these entries, from the first one on."""
        if not count:
            return
        taken = run.entries[:count]
        self.position = taken[-1].position
        if isinstance(run.source, Page):
            self._page_at += count
            if self._page_at == len(run.source.entries):
                self.position = max(self.position, run.source.last)
        elif self._places is not None and self._only is not None:
            self._places[self._only.channel] += count
        elif self._places is not None:
            self._pass_known(self._places)

    # --- inside --------------------------------------------------------------------------

    def _of_page(self, page: Page, most_bytes: int) -> Run | None:
        start, stop, size = self._page_at, self._page_at, 0
        while stop < len(page.entries):
            size += page.entries[stop].size
            if size > most_bytes and stop > start:
                break
            stop += 1
        return Run(self, page.entries[start:stop], page, start) if stop > start else None

    def _leave_or_join(self) -> None:
        if self._places is not None:
            for name, place in self._places.items():
                if place < self.rings[name].first:
                    self._places = None
                    break
            else:
                self._pass_known(self._places)
                return
        if self.floor <= self.position:
            self._places = {name: ring.above(self.position) for name, ring in self.rings.items()}
            self._holes = {name: self._holes_known(ring) for name, ring in self.rings.items()}

    def _merged(self, places: Mapping[str, int], most_bytes: int) -> Sequence[Entry]:
        below = min(ring.below for ring in self.rings.values())
        found: list[list[Entry]] = []
        for name, ring in self.rings.items():
            entries = ring.some(places[name], most_bytes)
            if entries and places[name] + len(entries) < ring.head:
                below = min(below, entries[-1].position + ":")
            found.append(entries)
        taken: list[Entry] = []
        size = 0
        for entry in merge(*found, key=attrgetter("position")):
            size += entry.size
            if entry.position >= below or (size > most_bytes and taken):
                break
            taken.append(entry)
        return taken

    def _holes_known(self, ring: Ring) -> int:
        """So many end where it has been: it was told of them, or was owed nothing there."""
        known = max(self.position, self._noted.get(ring.channel, _NOTHING_NOTED).upto)
        return sum(1 for one in ring.holes if one.upto <= known)

    def _pass_known(self, places: dict[str, int]) -> None:
        """What has come to a ring after it was read from the archive is no news."""
        for name, place in places.items():
            ring = self.rings[name]
            if place < ring.head and ring.entry(place).position <= self.position:
                places[name] = ring.above(self.position)


def now_of(rings: Mapping[str, Ring]) -> str:
    """Where who wants what comes from now on begins: above the last that is known, and below all to come."""
    return max(ring.newest for ring in rings.values())


def _above(entries: Sequence[Entry], position: str) -> int:
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if entries[middle].position <= position:
            low = middle + 1
        else:
            high = middle
    return low
