"""A web process, as far as it decides: rings that are filled from the tail, and pages that are kept."""

import random
from collections.abc import Collection

from relaycore.live.ids import EventId
from relaycore.live.owed import Owed, begin
from relaycore.live.ring import Ring
from relaycore.live.walk import Page, Read
from relaycore.storing.expiring import NOTHING

from .archive import Archive

MOST_OF_A_RING = 6
MOST_OF_A_PAGE = 3


class Hub:
    """From its start until it is killed. `gaps`: the numbers of those that it knows."""

    def __init__(self, archive: Archive, chance: random.Random) -> None:
        self.archive = archive
        self.chance = chance
        self.epoch, self.generation = archive.epoch, archive.generation
        self.rings: dict[str, Ring] = {}
        self.pages: dict[frozenset[str], list[Page]] = {}
        self.gaps: list[int] = []

    def ring(self, channel: str) -> Ring:
        if channel not in self.rings:
            floor = self.archive.newest(channel)
            self.archive.between()
            self.rings[channel] = Ring(channel, floor, 1 << 20, MOST_OF_A_RING)
        return self.rings[channel]

    def begin(self, channels: Collection[str], after: EventId | str | None, limit: int | None) -> Owed:
        rings: dict[int, dict[str, Ring]] = {}
        for name in channels:
            rings.setdefault(self.archive.place(name), {})[name] = self.ring(name)
        owed = begin(after, rings, self.epoch, self.generation, max(self.gaps, default=0), limit)
        number = after.gap if isinstance(after, EventId) else max(self.gaps, default=0)
        for gap in self.gaps:
            if gap > number:
                owed.tell_gap(gap, {"id": gap})
        return owed

    def pump(self) -> None:
        """All channels of one partition that are at the tail are read together; some are not told of yet."""
        partition = self.chance.randrange(self.archive.partitions)
        names = [name for name in self.rings if self.archive.place(name) == partition]
        told = [name for name in names if self.chance.random() < 0.8]
        below = self.archive.watermark(partition)
        self.archive.between()
        taken = {name: self.archive.find([name], self.rings[name].newest, below) for name in told}
        self.archive.between()
        records = self.archive.records(told)
        for name, documents in taken.items():
            ring = self.rings[name]
            ring.note(records.get(name, NOTHING), below)
            ring.append(documents)
            ring.know(below)

    def read(self, read: Read) -> Page:
        kept = self.pages.setdefault(read.channels, [])
        for page in kept:
            if page.serves(read.after):
                return page
        kept.append(self.archive.read(read.channels, read.after, read.floor, MOST_OF_A_PAGE))
        return kept.pop() if self.chance.random() < 0.5 else kept[-1]
