"""One channel, its subscriptions, the web processes that hand it out, and all that goes wrong."""

from collections.abc import Iterator
from typing import Final

from relaycore.delivering.leasing import LONGEST_MS
from relaycore.delivering.settings import Settings

from .channel import Document
from .clients import Clients
from .process import Process
from .stage import HOUR_MS, Stage, is_for_it
from .watch import Book, Reader, Watch

BACK_MS: Final = 20 * HOUR_MS
_SETTLING: Final = 1000


def some_key(document: Document) -> str:
    """One of three keys, or none."""
    number: int = document["number"]
    return "" if number % 5 == 4 else f"key {number // 2 % 3}"


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


class World(Stage[Reader]):
    """With workers who take turns at some of the web processes."""

    watch: Watch

    def __init__(self, seed: int, *names: str) -> None:
        super().__init__(seed, READERS, names)
        self.clients = Clients(self)
        self.processes = [self._start() for _ in range(2)]
        self.is_crowded = False
        self._workers = [(one, self._work(one)) for one in self.readers for _ in range(2)]

    def _watching(self) -> Watch:
        return Watch(self.channel, self.ledger)

    def _book(self, reader: Reader) -> Book:
        return Book(reader, reader.wants)

    def _start(self) -> Process:
        return Process(self)

    def _work(self, reader: Reader) -> Iterator[None]:
        if reader.steps:
            return self.clients.consume(reader)
        return self.clients.read(reader) if reader.settings is None else self.clients.work(reader)

    def process(self) -> Process:
        """One of those that run."""
        return self.random.choice(self.processes)

    def _before(self) -> None:
        for process in self.processes:
            process.follow()

    def _after(self) -> None:
        for at, (reader, worker) in enumerate(self._workers):
            if self.random.random() < 0.8 and next(worker, self) is self:
                self._workers[at] = (reader, self._work(reader))

    # --- faults -----------------------------------------------------------------------------

    def kill(self, chance: int) -> None:
        """At any instant: what it was about to answer nobody hears."""
        at = chance % len(self.processes)
        self.processes[at].is_dead = True
        self.processes[at] = self._start()

    def drop_watermark(self, chance: int) -> None:
        self.channel.drop_watermark(chance)

    def stand(self, milliseconds: int) -> None:
        """It has stood for so long."""
        self.ledger.clock_offset -= milliseconds

    def crowd(self, chance: int) -> None:
        """Other answers take up the room of these, or do no more."""
        self.is_crowded = chance % 3 > 0

    # --- what operators do ------------------------------------------------------------------

    def choose_anew(self, which: int, chance: int) -> None:
        """A log queue's consumer has no filter."""
        if not self.reader(which).steps:
            super().choose_anew(which, chance)

    def make_anew(self, which: int, chance: int) -> None:
        """No log queue's consumer has the name of another one."""
        if not self.reader(which).steps:
            super().make_anew(which, chance)

    # --- the end ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on."""
        self.clients.are_good = True
        self.is_crowded = False
        self.calm()
        self.run(60)
        self.run(4, (LONGEST_MS + HOUR_MS) // 4)
        for _ in range(_SETTLING // 20):
            if self.is_done():
                break
            self.run(20, 2000)
        self.watch.require_all_done()
