"""One channel, its webhook subscriptions, the senders of their shard, and all that goes wrong."""

from typing import Final

from relaycore.delivering.settings import Settings
from tests.simulation.delivering.stage import STEP_MS, Stage, is_for_it
from tests.simulation.delivering.world import some_key

from .endpoint import MODES, Endpoint, Request
from .lease import TTL_MS, Lease
from .sender import Sender
from .watch import Book, Reader, Watch

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
    Reader("batches", batch=3),
    Reader("batches of two", Settings(most_outstanding=3), is_for_it, seconds=(0, 1), batch=2),
    Reader("batches in order", Settings(most_outstanding=6, is_ordered=True), batch=3),
    Reader("batches and aged", max_age_ms=4000, batch=3),
)


class World(Stage[Reader]):
    """With two senders for one shard, and an endpoint for each reader."""

    watch: Watch

    def __init__(self, seed: int, *names: str) -> None:
        super().__init__(seed, READERS, names)
        self.endpoints = {one.name: self._endpoint(one) for one in self.readers}
        self.lease = Lease()
        self._number = 0
        self.senders = [self._start() for _ in range(2)]

    def _watching(self) -> Watch:
        return Watch(self.channel, self.ledger)

    def _book(self, reader: Reader) -> Book:
        return Book(reader, reader.wants)

    def _endpoint(self, reader: Reader) -> Endpoint:
        def took(request: Request) -> None:
            for position in request.positions:
                self.watch.took(reader, position, request.generation)

        return Endpoint(self.random, took)

    def _start(self) -> Sender:
        self._number += 1
        return Sender(self, self._number)

    def _before(self) -> None:
        for endpoint in self.endpoints.values():
            endpoint.work()

    def _after(self) -> None:
        for at, sender in enumerate(self.senders):
            sender.step()
            if sender.is_over:
                self.senders[at] = self._start()

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

    # --- the end ------------------------------------------------------------------------------

    def settle(self) -> None:
        """Nothing goes wrong any more, and time goes on."""
        for endpoint in self.endpoints.values():
            endpoint.mode = "good"
        self.calm()
        self.run(2 * TTL_MS // STEP_MS)
        for number in range(_SETTLING):
            if self.is_done():
                break
            self.run(20)
            if number % 10 == 9:
                self.run(1, 20_000)  # What waits long is due.
        self.watch.require_all_done()
