"""The main loop: read, insert, settle."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning

import redis
from django.conf import settings
from pymongo.errors import PyMongoError

from leases_app.heartbeat import Heartbeat
from leases_app.leasing import Contender
from leases_app.models import Lease
from messages_app.writing.batch import MOST_DELIVERIES, Batch
from messages_app.writing.counting import count_stored
from messages_app.writing.quarantine import Quarantine
from messages_app.writing.store import Interrupted, Outcome, Store
from messages_app.writing.stream import Entry, Stream
from relaycore.backoff import Backoff
from relaycore.batching import ReadSize
from relaycore.envelope import F_SOURCE, position_of
from relaycore.position import first_of
from relayproject import fitness
from relayproject.connections import mongo_collection, redis_client

log = logging.getLogger(__name__)

_BLOCK_MS = 500
_TRIM_SECONDS = 1.0
_FOREIGN_IDLE_SECONDS = 60.0
_PARTING_SECONDS = 5.0
"""An insert that takes longer when the writer stops is left to its successor."""


def write(partition: int, stopping: Callable[[], bool], task_id: str = "") -> bool:
    """Write one partition until `stopping()`; False at once if somebody else writes it.

    Raises:
        UnfitServer: MongoDB is set up so that it would not keep what it was given.
    """
    term = Contender(task_id).claim(Lease.Role.WRITER, partition)
    if term is None:
        return False
    log.info("partition %d: writing, epoch %d", partition, term.epoch)
    with Heartbeat(term) as heartbeat:
        writer = Writer(partition, lambda: stopping() or heartbeat.lost)
        writer.run()
    log.info("partition %d: stopped, epoch %d, %d messages stored", partition, term.epoch, writer.stored)
    return True


class Writer:
    """One writer in one term. `step` reads once, or settles once."""

    def __init__(self, partition: int, stopping: Callable[[], bool]) -> None:
        self._partition = partition
        self._asked_to_stop = stopping
        self._leaving = threading.Event()
        self._stream = Stream(redis_client(), partition)
        self._store = Store(mongo_collection("messages"), self._stopping)
        self._quarantine = Quarantine(mongo_collection("quarantine"), self._stopping)
        self._most_in_flight = settings.RELAY_WRITER_INSERTS_IN_FLIGHT
        self._pool = ThreadPoolExecutor(self._most_in_flight, thread_name_prefix="insert")
        self._in_flight: deque[tuple[Batch, Future[Outcome]]] = deque()
        self._read_size = ReadSize(settings.RELAY_WRITER_BATCH_MESSAGES)
        self._source = b""
        self._trimmed_at = float("-inf")
        self._claimed_at = float("-inf")
        self.stored = 0

    def run(self) -> None:
        """Step until asked to stop. What is not settled then stays pending for the next writer."""
        backoff = Backoff(first=0.1)
        begun = False
        try:
            while not self._stopping():
                try:
                    if not begun:
                        self._recover()
                        begun = True
                    self.step()
                    backoff.reset()
                except (redis.RedisError, PyMongoError) as exc:
                    # What Redis took in is not known: begin again with what is pending there.
                    self._in_flight.clear()
                    begun = False
                    log.warning("partition %d: beginning again: %s", self._partition, exc)
                    self._leaving.wait(backoff.next(random.random()))
            self._settle_all()
        except (Interrupted, redis.RedisError):
            log.info("partition %d: what is not settled stays pending", self._partition)
        finally:
            self._leaving.set()
            self._pool.shutdown(wait=False, cancel_futures=True)

    def step(self) -> None:
        """Read what is new and begin to insert it, or settle the oldest insert."""
        if len(self._in_flight) >= self._most_in_flight:
            self._settle()
        entries = self._stream.read(self._read_size.entries, None if self._in_flight else _BLOCK_MS)
        if entries:
            self._begin(entries)
        elif self._in_flight:
            self._settle()
        self._tidy(time.monotonic())

    # --- inserting -------------------------------------------------------------------

    def _begin(self, entries: list[Entry]) -> None:
        batch, messages = Batch(), 0
        for entry in entries:
            source = entry.fields.get(F_SOURCE, b"")
            if source != self._source:
                # What follows may repeat what came before: nothing of that may be in flight.
                self._submit(batch)
                self._settle_all()
                batch, self._source = Batch(), source
            messages += batch.add(entry)
        self._submit(batch)
        self._read_size.learn(len(entries), messages)

    def _submit(self, batch: Batch) -> None:
        if batch.ids:
            self._in_flight.append((batch, self._pool.submit(self._insert, batch)))

    def _insert(self, batch: Batch) -> Outcome:
        """In a thread of the pool: returns when everything in the batch is durable somewhere."""
        if batch.careful:
            outcome = self._insert_each(batch)
        else:
            outcome = self._store.insert(batch.documents, doubtful=batch.doubtful)
        for index, reason in outcome.refused.items():
            document = batch.documents[index]
            self._quarantine.put_message(document, position_of(document), reason)
        for position, document, reason in batch.rejected:
            self._quarantine.put_message(document, position, reason)
        for entry, reason in batch.unread:
            self._quarantine.put_entry(entry.id, entry.fields, reason)
        return outcome

    def _insert_each(self, batch: Batch) -> Outcome:
        """One message at a time, each noted before: if this process dies, the note says of what."""
        outcome = Outcome()
        suspect = self._stream.suspect()
        for index, document in enumerate(batch.documents):
            position = position_of(document)
            if position == suspect:
                outcome.refused[index] = f"The writer died more than {MOST_DELIVERIES} times with it."
                continue
            self._stream.note_suspect(position)
            try:
                one = self._store.insert([document], doubtful=True)
            finally:
                self._stream.note_suspect("")
            if one.duplicates:
                outcome.duplicates.add(index)
            if one.refused:
                outcome.refused[index] = one.refused[0]
        return outcome

    def _settle(self) -> None:
        """Acknowledge the oldest insert, once it is durable."""
        batch, insert = self._in_flight[0]
        outcome = self._result(insert)
        stored, last_at = batch.counts(outcome)
        self._stream.acknowledge(batch.ids, stored, last_at)
        self._in_flight.popleft()
        self.stored += stored.total()

    def _result(self, insert: Future[Outcome]) -> Outcome:
        while True:
            try:
                return insert.result(timeout=_PARTING_SECONDS)
            except StillRunning:
                if self._stopping():
                    raise Interrupted from None

    def _settle_all(self) -> None:
        while self._in_flight:
            self._settle()

    # --- beginning and ending --------------------------------------------------------

    def _recover(self) -> None:
        """Bring to an end everything that was delivered and not acknowledged."""
        fitness.require(fitness.mongo_findings(mongo_collection("messages")))
        self._stream.prepare()
        self._source = b""
        if not self._stream.has_counts():
            pending = self._stream.oldest_pending()
            below = first_of(pending) if pending else None
            self._stream.set_counts(count_stored(mongo_collection("messages"), self._partition, below))
        self._stream.claim_foreign(_FOREIGN_IDLE_SECONDS)
        while not self._stopping() and (entry := self._stream.read_pending()):
            self._begin([entry])
            self._settle_all()

    def _stopping(self) -> bool:
        return self._leaving.is_set() or self._asked_to_stop()

    def _tidy(self, now: float) -> None:
        if now - self._trimmed_at >= _TRIM_SECONDS:
            self._trimmed_at = now
            self._stream.trim(settings.RELAY_STREAM_KEEP_SECONDS)
        if now - self._claimed_at >= _FOREIGN_IDLE_SECONDS:
            self._claimed_at = now
            self._settle_all()  # What is in flight must not be taken for what was left behind.
            self._recover()
