"""One channel, its webhook subscriptions, the senders of their shard, and all that goes wrong."""

import random
from collections.abc import Iterator
from typing import Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted
from tests.simulation.delivering.channel import Channel
from tests.simulation.delivering.clients import Operators
from tests.simulation.delivering.ledger import Entry, Ledger
from tests.simulation.delivering.world import FILTERS, is_for_it, some_key

from .endpoint import MODES, Endpoint, Request
from .lease import TTL_MS, Lease
from .sender import Sender
from .watch import Book, Reader, Watch

STEP_MS: Final = 60
_SETTLING: Final = 150

READERS: Final = (
    Reader("plain"),
    Reader("filtered", wants=is_for_it),
    Reader("once", seconds=(0,)),
    Reader("tight", Settings(most_outstanding=2), most=2),
    Reader("ordered", Settings(most_outstanding=6, is_ordered=True)),
    Reader("ordered and filtered", Settings(most_outstanding=2, is_ordered=True), is_for_it, seconds=(0, 1)),
    Reader("keyed", key_of=some_key),
    Reader("keyed and filtered", Settings(most_outstanding=3), is_for_it, most=6, key_of=some_key),
    Reader("keyed once", seconds=(0,), key_of=some_key),
    Reader("aged", max_age_ms=4000),
    Reader("keyed and aged", max_age_ms=4000, key_of=some_key),
    Reader("delayed", delay_ms=1500),
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
        self.endpoints = {one.name: self._endpoint(one) for one in self.readers}
        for reader in self.readers:
            self.watch.books[reader.name] = Book(reader, reader.wants)
            self.ledger.entries[reader.name] = Entry(Cursor(), Noted(), wants=reader.wants)
        self.lease = Lease()
        self.operators = Operators(self)  # type: ignore[arg-type]
        self._number = 0
        self.senders = [self._start() for _ in range(2)]
        self._retention: Iterator[None] | None = None
        self._others: list[Iterator[None]] = []

    def _endpoint(self, reader: Reader) -> Endpoint:
        def took(request: Request) -> None:
            self.watch.took(reader, request.position, request.generation)

        return Endpoint(self.random, took)

    def _start(self) -> Sender:
        self._number += 1
        return Sender(self, self._number)

    def reader(self, chance: int) -> Reader:
        return self.readers[chance % len(self.readers)]

    # --- what goes on -----------------------------------------------------------------------

    def run(self, steps: int, step_ms: int = STEP_MS) -> None:
        for _ in range(steps):
            self.time += step_ms
            self.ledger.time = self.time
            if self.random.random() < 0.6:
                self.channel.store()
            for endpoint in self.endpoints.values():
                endpoint.work()
            if self._retention is not None and next(self._retention, self) is self:
                self._retention = None
            self._others = [one for one in self._others if next(one, self) is not self]
            for at, sender in enumerate(self.senders):
                sender.step()
                if sender.is_over:
                    self.senders[at] = self._start()

    def append(self, messages: int) -> None:
        self.watch.appended(self.channel.append(messages, self.time))

    # --- faults -----------------------------------------------------------------------------

    def kill(self, chance: int) -> None:
        """At any instant: what it was about to write is not written."""
        self.senders[chance % len(self.senders)] = self._start()

    def freeze(self, chance: int, steps: int) -> None:
        """It wakes up where it was."""
        self.senders[chance % len(self.senders)].frozen_until = self.time + steps * STEP_MS

    def leave(self, chance: int) -> None:
        """It is stopped: nothing more is tried, and then it gives back the lease."""
        self.senders[chance % len(self.senders)].is_leaving = True

    def answer(self, which: int, chance: int) -> None:
        """How the endpoint is from now on."""
        self.endpoints[self.reader(which).name].mode = MODES[chance % len(MODES)]

    def retain(self, messages: int) -> None:
        self._retention = self.channel.retain(messages)

    def forget_watermark(self) -> None:
        self.channel.forget_watermark()

    def jump(self, milliseconds: int) -> None:
        """PostgreSQL's clock, alone."""
        self.ledger.clock_offset += milliseconds

    # --- what operators do ------------------------------------------------------------------

    def seek(self, which: int, chance: int) -> None:
        self._others.append(self.operators.seek(self.reader(which), chance))  # type: ignore[arg-type]

    def choose_anew(self, which: int, chance: int) -> None:
        wants = FILTERS[chance % len(FILTERS)]
        self._others.append(self.operators.choose_anew(self.reader(which), wants))  # type: ignore[arg-type]

    def make_anew(self, which: int, chance: int) -> None:
        self._others.append(self.operators.make_anew(self.reader(which), chance))  # type: ignore[arg-type]

    def redrive(self, which: int) -> None:
        self._others.append(self.operators.redrive(self.reader(which)))  # type: ignore[arg-type]

    def drop(self, which: int, chance: int) -> None:
        self._others.append(self.operators.drop(self.reader(which), chance))  # type: ignore[arg-type]

    def skip(self, which: int, chance: int) -> None:
        self._others.append(self.operators.skip(self.reader(which), chance))  # type: ignore[arg-type]

    def pause(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=False)  # type: ignore[arg-type]

    def resume(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=True)  # type: ignore[arg-type]

    # --- the end ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on."""
        self.ledger.has_faults = False
        for endpoint in self.endpoints.values():
            endpoint.mode = "good"
        for reader in self.readers:
            self.operators.pause(reader, is_active=True)  # type: ignore[arg-type]
        while self.channel.late:
            self.channel.store()
        self.channel.rise()
        self.run(2 * TTL_MS // STEP_MS)
        for number in range(_SETTLING):
            if self.is_done():
                break
            self.run(20)
            if number % 10 == 9:
                self.run(1, 20_000)  # What waits long is due.
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
