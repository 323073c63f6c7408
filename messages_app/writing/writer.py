"""The main loop: read, insert, settle."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

import redis
from django.conf import settings
from pymongo.errors import PyMongoError

from leases_app import endless
from leases_app.leasing import Contender, Term
from leases_app.models import Lease
from messages_app.writing.announcing import Announcer
from messages_app.writing.batch import Batch
from messages_app.writing.counting import Recount
from messages_app.writing.inserting import Inserting
from messages_app.writing.keeping import BeginAgain, Keeping
from messages_app.writing.kept import highest_epoch
from messages_app.writing.store import Outcome
from messages_app.writing.stream import Entry, Fenced, GroupLost, Stream
from messages_app.writing.watching import Lookout
from relaybase import fitness, logs
from relaybase.background import Interrupted, awaited, in_background
from relaybase.connections import mongo_collection, redis_client
from relaybase.meters import Meters
from relaycore.backoff import Backoff
from relaycore.errors import LeaseLost
from relaycore.storing import together
from relaycore.storing.batching import ReadSize

log = logging.getLogger(__name__)

T = TypeVar("T")

_BLOCK_MS = 1000
_PAUSE_MS = 100
"""When nothing has come for so long, what was acknowledged is counted at once."""

_MOST_ENTRIES = 256
"""One read brings no more entries. Each may have a message of 1 MiB, all of them in memory at once."""

_TIDY_SECONDS = 1.0
_FOREIGN_IDLE_SECONDS = 60.0
_PARTING_SECONDS = 3.0
"""An insert that takes longer when the writer stops is left to its successor."""


def write(partition: int, stopping: Callable[[], bool], task_id: str = "") -> bool:
    """Write one partition until `stopping()`; False at once if somebody else writes it.

    Raises:
        UnfitServer: MongoDB is set up so that it would not keep what it was given.
    """
    with logs.about(partition=partition, task_id=task_id):
        try:
            above = awaited(in_background(highest_epoch, partition), stopping)
        except Interrupted:
            return True  # Whoever asked it to stop is not told that somebody else writes.
        term = Contender(task_id).claim(Lease.Role.WRITER, partition, above=above)
        if term is None:
            return False
        lookout = Lookout(partition)
        with endless.under(term, "writing", lookout.condition) as heartbeat:
            writer = Writer(term, lambda: stopping() or heartbeat.lost, lookout.got_on)
            writer.run()
            log.info("partition %d: %d messages stored", partition, writer.stored)
        return True


class Writer:
    """One writer in one term. `step` reads once, or settles once. `got_on`: nothing holds it up now."""

    def __init__(
        self, term: Term, stopping: Callable[[], bool], got_on: Callable[[], object] = lambda: None
    ) -> None:
        self._got_on = got_on
        self._partition = partition = term.partition
        self._asked_to_stop = stopping
        self._leaving = threading.Event()
        self._redis = redis_client()
        self._stream = Stream(self._redis, partition, Announcer.of(partition))
        self._inserting = Inserting(self._stream, self._stopping)
        self._most_in_flight = settings.RELAY_WRITER_INSERTS_IN_FLIGHT
        self._recount = Recount(self._stream, mongo_collection("messages"), partition)
        self._meters = Meters(self._redis, partition)
        self._keeping = Keeping(term, self._stream, self._meters, self._result, self._stopping)
        self._in_flight: deque[tuple[Batch, Future[Outcome]]] = deque()
        self._read_size = ReadSize(settings.RELAY_WRITER_BATCH_MESSAGES, most=_MOST_ENTRIES)
        self._tidied_at = float("-inf")
        self._untidy_until = 0.0
        self._is_uncounted = False
        self._is_fit = False
        self._recovered_at = float("-inf")
        self.stored = 0

    def run(self) -> None:
        """Step until asked to stop. What is not settled then stays pending for the next writer."""
        backoff = Backoff(first=0.1)
        begun, idle_seconds = False, _FOREIGN_IDLE_SECONDS
        try:
            while not self._stopping():
                try:
                    if not begun:
                        self._recover(idle_seconds)
                        begun, idle_seconds = True, _FOREIGN_IDLE_SECONDS
                    self.step()
                    backoff.reset()
                except BeginAgain as exc:
                    # Whoever has what is missing here: nothing behind it can be stored before it is.
                    begun, idle_seconds = False, 0.0
                    log.info("partition %d: beginning again: %s", self._partition, exc)
                    self._leaving.wait(backoff.next(random.random()))
                except (redis.RedisError, PyMongoError, Fenced) as exc:
                    # What Redis took in is not known: begin again with what is pending there.
                    self._in_flight.clear()
                    begun = False
                    log.warning("partition %d: beginning again: %s", self._partition, exc)
                    self._leaving.wait(backoff.next(random.random()))
            self._settle_all()
            self._add_up()
            self._meters.flush()
            self._keeping.close()
        except (Interrupted, redis.RedisError, PyMongoError, Fenced):
            log.info("partition %d: what is not settled stays pending", self._partition)
        except LeaseLost as exc:
            log.warning(
                "partition %d: what is not settled is left to the next writer: %s", self._partition, exc
            )
        finally:
            self._leaving.set()
            self._redis.close()

    def step(self) -> None:
        """Read what is new and begin to insert it, or settle the oldest insert."""
        if len(self._in_flight) >= self._most_in_flight:
            self._settle()
        try:
            wait_ms = _PAUSE_MS if self._is_uncounted else _BLOCK_MS
            entries = self._stream.read(self._read_size.entries, None if self._in_flight else wait_ms)
        except GroupLost:
            self._recover()
            return
        if entries:
            self._begin(entries)
        elif self._in_flight:
            self._settle()
        else:
            self._add_up()
        self._tidy(time.monotonic())
        self._get_on()

    def _get_on(self) -> None:
        if self._keeping.is_kept:
            self._got_on()

    # --- inserting -------------------------------------------------------------------

    def _begin(self, entries: list[Entry]) -> None:
        batch, weight = Batch(), 0
        for entry in entries:
            # Where it is to be found out what is missing nothing may be in flight.
            if self._keeping.lacks(entry):
                self._submit(batch)
                self._settle_all()
                batch = Batch()
            self._keeping.read(entry)
            weight += batch.add(entry)
            batch.doubtful = batch.doubtful or self._keeping.is_delivered_again(entry)
        self._submit(batch)
        self._read_size.learn(len(entries), weight)

    def _submit(self, batch: Batch) -> None:
        if batch.ids:
            start = together.start(batch.contents, (one.contents for one, _ in self._in_flight))
            for _ in range(start.after):
                self._settle()
            batch.repeats = start.repeats
            self._in_flight.append((batch, in_background(self._inserting.insert, batch)))

    def _settle(self) -> None:
        """Acknowledge the oldest insert, once it is durable."""
        batch, insert = self._in_flight[0]
        outcome = self._result(insert)
        stored = self._keeping.acknowledge(batch.stored(outcome), batch.upto, outcome.operation_time)
        self._in_flight.popleft()
        self._leave_untidy()
        self.stored += stored
        self._count(batch, outcome, stored)

    def _count(self, batch: Batch, outcome: Outcome, stored: int) -> None:
        quarantined = len(outcome.refused) + len(batch.rejected) + len(batch.unread)
        self._meters.add("relayed", len(batch.documents) + len(batch.rejected))
        self._meters.add("stored", stored)
        self._meters.add("duplicates", len(outcome.duplicates))
        self._meters.add("quarantined", quarantined)
        self._meters.observe("batch_messages", len(batch.documents))
        self._meters.observe("insert_seconds", outcome.seconds)

    def _result(self, work: "Future[T]") -> T:
        return awaited(work, self._stopping, _PARTING_SECONDS)

    def _settle_all(self) -> None:
        while self._in_flight:
            self._settle()

    # --- beginning and ending --------------------------------------------------------

    def _recover(self, foreign_idle_seconds: float = _FOREIGN_IDLE_SECONDS) -> None:
        """Bring to an end everything that was delivered and not acknowledged."""
        self._settle_all()  # What is in flight must not be taken for what was left behind.
        self._recovered_at = time.monotonic()
        self._leave_untidy()  # Whoever wrote before may have had no time.
        if not self._is_fit:  # Later on stopping would lose more: `watching` says it.
            self._result(in_background(self._require_durability))
            self._is_fit = True
        self._keeping.begin()
        self._inserting.learn_suspect()
        self._stream.claim_foreign(foreign_idle_seconds)
        while not self._stopping() and (entry := self._stream.read_pending()):
            self._begin([entry])
            self._settle_all()
            self._get_on()
        if not self._stopping():
            self._recount.begin()

    def _require_durability(self) -> None:
        fitness.require(fitness.mongo_findings(mongo_collection("messages")))

    def _stopping(self) -> bool:
        return self._leaving.is_set() or self._asked_to_stop()

    def _add_up(self) -> None:
        if self._is_uncounted:
            self._stream.add_up()
            self._is_uncounted = False

    def _leave_untidy(self) -> None:
        """What was acknowledged just now is to be counted, and cut off when it has been kept long enough."""
        self._is_uncounted = True
        self._untidy_until = time.monotonic() + settings.RELAY_STREAM_KEEP_SECONDS

    def _tidy(self, now: float) -> None:
        if now - self._tidied_at >= _TIDY_SECONDS:
            if self._tidied_at < self._untidy_until:
                self._add_up()
                self._stream.trim(settings.RELAY_STREAM_KEEP_SECONDS)
                self._meters.flush()
            self._tidied_at = now
            self._recount.turn()
            self._keeping.turn(is_settled=not self._in_flight)
        if now - self._recovered_at >= _FOREIGN_IDLE_SECONDS:
            self._recover()
