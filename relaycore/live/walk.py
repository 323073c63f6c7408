"""One client in one partition: where it stands, and what comes next for it.

It has looked at everything of its channels up to its *position*. What is above that it gets in the order of
positions, whatever channel it is of: from the archive, a page at a time, until the rings of all its channels
reach down to where it stands; from then on from the rings, where its place is a number for each channel.

When it may leave the archive. A ring has everything above its floor. So it is enough that the client has
looked at everything up to the floor: its position is not below it, or a page that ended with nothing more
was read below a watermark that is above the floor. That watermark counts for this question and for none
else: entries are taken above the position, so that none is passed if positions are given below a watermark
after a loss. If a ring lets go what a client has not had, it is in the archive, and the client too.

Channels of one partition are put together up to where all of them are known. Beyond that a lower position
may still come, and whoever had passed it would miss it when he comes again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from heapq import merge
from operator import attrgetter
from typing import Any, Self

from relaycore.delivering.skipping import Noted, Skip, skip
from relaycore.live.ring import Entry, Ring
from relaycore.storing.expiring import NOTHING, Expired


@dataclass(frozen=True, slots=True, eq=False)
class Page:
    """What the archive has of some channels of one partition, in the order of positions.

    after:   everything above this position, as far as it goes
    is_more: there is more above the last entry; else it goes to `below`, the watermark by which it was read
    expired: what was on record as deleted after it was read, by channel
    forms:   what was made of its entries for clients, by whoever makes it, once for all of them
    """

    after: str
    entries: Sequence[Entry]
    is_more: bool
    below: str
    expired: Mapping[str, Expired]
    forms: dict[Any, Any] = field(default_factory=dict)

    @property
    def last(self) -> str:
        """Up to here it has everything; it is a position of a message, or `after`."""
        last = self.entries[-1].position if self.entries else self.after
        if self.is_more:
            return last
        # A deleted message has had a position, too.
        return max([last, *(one.upto for one in self.expired.values() if one.upto < self.below)])

    def serves(self, position: str, floor: str) -> bool:
        """Whether who stands there gets on with it: something above, or to rings with this floor."""
        if not self.after <= position:
            return False
        return position < self.last or (position == self.last and not self.is_more and floor < self.below)


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
    """What it needs: a page of these channels above this position, one that `Page.serves` it."""

    walk: "Walk"
    channels: frozenset[str]
    after: str
    floor: str


class Walk:
    """One client in one partition.

    rings:    of its channels, by name
    position: it wants what is above; None: what comes from now on
    """

    def __init__(self, partition: int, rings: Mapping[str, Ring], position: str | None) -> None:
        self.partition = partition
        self.rings = rings
        self.channels = frozenset(rings)
        # "Now" is above whatever was there: nobody passes something of it that is on its way.
        self.position = max(ring.newest for ring in rings.values()) if position is None else position
        self._only = next(iter(rings.values())) if len(rings) == 1 else None
        self._places: dict[str, int] | None = None
        self._holes: dict[str, int] = {}
        self._noted = dict.fromkeys(rings, Noted())
        self._page: Page | None = None
        self._page_at = 0
        self._clear = ""
        """Everything below this was looked at, when that was read."""

    @property
    def is_joined(self) -> bool:
        """Whether it gets what comes from the rings."""
        return self._places is not None

    @property
    def floor(self) -> str:
        """Up to here it has to have looked at everything before it may join."""
        return max(ring.floor for ring in self.rings.values())

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
            self._noted[name], found = skip(self.position, self._noted[name], expired)
            if found is not None:
                missed.append(Missed.of(name, found))
        self._page, self._page_at = page, _above(page.entries, self.position)
        self._clear = "" if page.is_more else page.below
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
            for name, ring in self.rings.items():
                self._places[name] = self._behind(ring, self._places[name])

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
            if all(place >= self.rings[name].first for name, place in self._places.items()):
                return
            self._places = None
        if self.floor <= self.position or self.floor < self._clear:
            self._places = {name: ring.above(self.position) for name, ring in self.rings.items()}
            self._holes = {name: _holes_below(ring, self.position) for name, ring in self.rings.items()}
        # Of what it lets go later the watermark says nothing.
        self._clear = ""

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
            if entry.position > self.position:
                taken.append(entry)
        return taken

    def _behind(self, ring: Ring, place: int) -> int:
        """The number of the first entry, from this one on, that it has not looked at."""
        return max(place, ring.above(self.position)) if place < ring.head else place


def _above(entries: Sequence[Entry], position: str) -> int:
    low, high = 0, len(entries)
    while low < high:
        middle = (low + high) // 2
        if entries[middle].position <= position:
            low = middle + 1
        else:
            high = middle
    return low


def _holes_below(ring: Ring, position: str) -> int:
    """So many holes end where it has been: it was told of them, or never was owed anything there."""
    return sum(1 for one in ring.holes if one.upto <= position)
