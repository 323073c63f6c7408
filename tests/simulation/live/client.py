"""One client that watches, over all its connections: what it was given, and what it was told."""

import random
from dataclasses import dataclass, field
from typing import Any

from relaycore.live import ids
from relaycore.live.owed import CAUGHT_UP, END, GAP, Told
from relaycore.live.ring import Entry
from relaycore.live.walk import Read, Run
from relaycore.position import first_of

from .archive import Archive
from .hub import Hub


@dataclass(frozen=True, slots=True)
class Kind:
    """What it asks for. `start`: "now", or from which number of messages on; `every`: its filter."""

    name: str
    channels: tuple[str, ...]
    start: str = "now"
    every: int = 1
    limit: int | None = None


KINDS = (
    Kind("one", ("orders",)),
    Kind("earliest", ("orders",), "earliest"),
    Kind("two", ("orders", "prices")),
    Kind("all", ("orders", "prices", "stock", "users"), "earliest"),
    Kind("filtered", ("orders", "stock"), "earliest", every=3),
    Kind("limited", ("orders", "prices"), "earliest", limit=7),
    Kind("filtered and limited", ("users",), "earliest", every=2, limit=5),
)


@dataclass(slots=True)
class Client:
    """`since`: the number of the last message that had been appended when it came first."""

    kind: Kind
    chance: random.Random
    since: int = -1
    last_id: str = ""
    given: list[tuple[str, str, int]] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)
    repeats: bool = False
    is_done: bool = False
    gaps: set[int] = field(default_factory=set)
    gaps_since: int = 0
    hub: Any = None
    owed: Any = None
    caught_up: int = 0
    generation: int = 1
    count: int = 0
    """Messages on this connection."""
    has_all: bool = False

    def connect(self, hub: Hub, archive: Archive) -> None:
        after: Any = None
        if self.last_id:
            after = ids.parse(self.last_id)
            if after.is_end:
                self.is_done = True  # 204.
                return
            self.repeats |= (after.epoch, after.generation) != (hub.epoch, hub.generation)
        elif self.kind.start == "earliest":
            after = first_of("0-0")
        self.owed, self.hub = hub.begin(self.kind.channels, after, self.kind.limit), hub
        self.count = 0
        if not self.last_id:
            # What was not stored when it came may be older than "now", or newer.
            self.since = archive.lost if after else archive.number
            self.gaps_since = max(hub.gaps, default=0)
        self.caught_up, self.generation = 0, hub.generation

    def step(self, cut: bool) -> bool:
        """What comes next is sent; whether there was something. `cut`: it breaks off somewhere in it."""
        owed = self.owed
        is_at_end = owed.is_at_end
        found = owed.next(self.chance.choice([1, 2000, 1 << 20]))
        if is_at_end and found is not None:
            self.broken.add("not at the end")
        if isinstance(found, Read):
            owed.read(found.walk, page := self.hub.read(found))
            return page.serves(found.after)
        if isinstance(found, Run):
            self._show(found, cut)
            return True
        if found is None:
            return False
        self._tell(found, owed.id if owed.is_told_all else None, cut)
        return True

    def _tell(self, found: Told, id: str | None, cut: bool) -> None:
        if cut and self.chance.random() < 0.5:
            self.leave()
            return
        self.last_id = id or self.last_id
        self.told.append(found)
        if found.event == GAP:
            self.gaps.add(found.data["id"])
        elif found.event == END:
            self.is_done = True
        elif found.event == CAUGHT_UP:
            self.caught_up += 1
            if self.caught_up > 1:
                self.broken.add("caught up twice")
        if cut or self.is_done:
            self.leave()

    def _show(self, run: Run, cut: bool) -> None:
        owed = self.owed
        before, after = owed.around(run.walk)
        wanted = [self._wants(entry) for entry in run.entries]
        looked = owed.cut(wanted)
        shown = [entry for entry, wants in zip(run.entries[:looked], wanted, strict=False) if wants]
        owed.took(run, looked, len(shown))
        got = self.chance.randrange(len(shown) + 1) if cut and shown else len(shown)
        for index, entry in enumerate(shown[:got], 1):
            is_last = index == len(shown) and (self.kind.every > 1 or self.kind.limit is not None)
            self.last_id = owed.id if is_last else f"{before}{entry.position}{after}"
            self._take(entry)
        if not shown and not cut and owed.is_told_all:
            self.last_id = owed.id  # As it is said from time to time.
        if cut:
            self.leave()

    def _take(self, entry: Entry) -> None:
        channel, number = entry.document["channel"], int(entry.document["message"])
        known = [one for _, _, one in self.given]
        if number in known and not self.repeats:
            self.broken.add("doubled")
        archive = self.hub.archive
        place = archive.place(channel)
        earlier = [position for name, position, _ in self.given if archive.place(name) == place]
        if earlier and earlier[-1] >= entry.position and not self.repeats:
            self.broken.add("out of order")
        self.given.append((channel, entry.position, number))
        if self.has_all:
            self.broken.add("more than the limit")
        self.count += 1
        self.has_all = self.count == self.kind.limit

    def _wants(self, entry: Entry) -> bool:
        return int(entry.document["message"]) % self.kind.every == 0

    def leave(self) -> None:
        self.owed = self.hub = None
