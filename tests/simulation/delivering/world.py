"""One channel, its subscriptions, the web processes that hand it out, and all that goes wrong."""

import random
from collections.abc import Iterator
from typing import Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import LONGEST_MS
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted

from .channel import Channel, Document
from .clients import Clients, Operators
from .ledger import Entry, Ledger
from .process import Process
from .watch import Book, Reader, Watch

STEP_MS: Final = 60
HOUR_MS: Final = 3_600_000
BACK_MS: Final = 20 * HOUR_MS
_SETTLING: Final = 1000


def is_for_it(document: Document) -> bool:
    """A filter."""
    return bool(document["number"] % 3)


def is_odd(document: Document) -> bool:
    """Another one."""
    return bool(document["number"] % 2)


def some_key(document: Document) -> str:
    """One of three keys, or none."""
    number: int = document["number"]
    return "" if number % 5 == 4 else f"key {number // 2 % 3}"


FILTERS: Final = (None, is_for_it, is_odd)

READERS: Final = (
    Reader("cursor"),
    Reader("filtered", wants=is_for_it),
    Reader("lease", Settings(2000, 3, 4), is_for_it),
    Reader("once", Settings(2000, 1, 6)),
    Reader("delayed", Settings(1000, None, 3), delay_ms=1500),
    Reader("ordered", Settings(2000, 2, 2, is_ordered=True)),
    Reader("keyed", Settings(2000, 2, 3), is_for_it, key_of=some_key),
    Reader("keyed once", Settings(2000, 1, 6), key_of=some_key),
    Reader("parked", Settings(1000, None, 4), key_of=some_key),
    Reader("queue", steps=True),
)


class World:
    """What a schedule of operations plays on. Two of the readers, by the seed."""

    def __init__(self, seed: int, *names: str) -> None:
        self.random = random.Random(seed)
        self.time = 1_700_000_000_000
        self.channel = Channel(self.random)
        self.ledger = Ledger(self.random)
        self.ledger.time = self.time
        self.watch = Watch(self.channel, self.ledger)
        self.readers = [one for one in READERS if one.name in names] or self.random.sample(READERS, 2)
        for reader in self.readers:
            self.watch.books[reader.name] = Book(reader, reader.wants)
            self.ledger.entries[reader.name] = Entry(Cursor(), Noted(), wants=reader.wants)
        self.clients, self.operators = Clients(self), Operators(self)
        self.processes = [self._start() for _ in range(2)]
        self.is_crowded = False
        self._retention: Iterator[None] | None = None
        self._others: list[Iterator[None]] = []
        self._workers = [(one, self._work(one)) for one in self.readers for _ in range(2)]

    def _start(self) -> Process:
        return Process(self)

    def _work(self, reader: Reader) -> Iterator[None]:
        if reader.steps:
            return self.clients.consume(reader)
        return self.clients.read(reader) if reader.settings is None else self.clients.work(reader)

    def process(self) -> Process:
        """One of those that run."""
        return self.random.choice(self.processes)

    def reader(self, chance: int) -> Reader:
        return self.readers[chance % len(self.readers)]

    # --- what goes on -----------------------------------------------------------------------

    def run(self, steps: int, step_ms: int = STEP_MS) -> None:
        for _ in range(steps):
            self.time += step_ms
            self.ledger.time = self.time
            if self.random.random() < 0.6:
                self.channel.store()
            for process in self.processes:
                process.follow()
            if self._retention is not None and next(self._retention, self) is self:
                self._retention = None
            self._others = [one for one in self._others if next(one, self) is not self]
            for at, (reader, worker) in enumerate(self._workers):
                if self.random.random() < 0.8 and next(worker, self) is self:
                    self._workers[at] = (reader, self._work(reader))

    def append(self, messages: int) -> None:
        self.watch.appended(self.channel.append(messages, self.time))

    # --- faults -----------------------------------------------------------------------------

    def kill(self, chance: int) -> None:
        """At any instant: what it was about to answer nobody hears."""
        at = chance % len(self.processes)
        self.processes[at].is_dead = True
        self.processes[at] = self._start()

    def retain(self, messages: int) -> None:
        """Or whoever deletes dies, if somebody does, and the next one goes on."""
        self._retention = self.channel.retain(messages)

    def forget_watermark(self) -> None:
        self.channel.forget_watermark()

    def drop_watermark(self, chance: int) -> None:
        self.channel.drop_watermark(chance)

    def jump(self, milliseconds: int) -> None:
        """PostgreSQL's clock, alone."""
        self.ledger.clock_offset += milliseconds

    def stand(self, milliseconds: int) -> None:
        """It has stood for so long."""
        self.ledger.clock_offset -= milliseconds

    def crowd(self, chance: int) -> None:
        """Other answers take up the room of these, or do no more."""
        self.is_crowded = chance % 3 > 0

    # --- what operators do ------------------------------------------------------------------

    def seek(self, which: int, chance: int) -> None:
        self._others.append(self.operators.seek(self.reader(which), chance))

    def choose_anew(self, which: int, chance: int) -> None:
        """Another filter. A log queue's consumer has none."""
        reader = self.reader(which)
        if not reader.steps:
            self._others.append(self.operators.choose_anew(reader, FILTERS[chance % len(FILTERS)]))

    def make_anew(self, which: int, chance: int) -> None:
        """Delete it, and make one of its name. No log queue's consumer has the name of another one."""
        reader = self.reader(which)
        if not reader.steps:
            self._others.append(self.operators.make_anew(reader, chance))

    def redrive(self, which: int) -> None:
        self._others.append(self.operators.redrive(self.reader(which)))

    def drop(self, which: int, chance: int) -> None:
        self._others.append(self.operators.drop(self.reader(which), chance))

    def skip(self, which: int, chance: int) -> None:
        self._others.append(self.operators.skip(self.reader(which), chance))

    def pause(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=False)

    def resume(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=True)

    # --- the end ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on."""
        self.ledger.has_faults = False
        self.clients.are_good = True
        self.is_crowded = False
        for reader in self.readers:
            self.operators.pause(reader, is_active=True)
        while self.channel.late:
            self.channel.store()
        self.channel.rise()
        self.run(60)
        self.run(4, (LONGEST_MS + HOUR_MS) // 4)
        for _ in range(_SETTLING // 20):
            if self.is_done():
                break
            self.run(20, 2000)
        self.watch.require_all_done()

    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        probe = Watch.__new__(Watch)
        probe.__dict__ |= {**self.watch.__dict__, "broken": set()}
        probe.require_all_done()
        return not probe.broken

    @property
    def broken(self) -> set[tuple[int, str]]:
        return self.watch.broken
