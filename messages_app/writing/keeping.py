"""What a writer does about numbers and positions: what `relaycore.storing.keeping` says."""

import contextlib
import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from pymongo.errors import PyMongoError

from channels_app import vanished
from leases_app.leasing import Term
from messages_app.writing.kept import COLLECTION, KeptInMongo
from messages_app.writing.stream import Entry, Stream
from relaybase.background import in_background, rest
from relaybase.connections import mongo_collection
from relaybase.meters import Meters
from relaycore.backoff import Backoff
from relaycore.errors import LeaseLost, one_line
from relaycore.position import NEVER, order
from relaycore.storing.keeping import Beginning, Hole, Keeper
from relaycore.storing.known import Beside, Kept

log = logging.getLogger(__name__)


class BeginAgain(Exception):
    """What is known here does not fit any more to what Redis says."""


class Keeping:
    """The numbers and positions of one partition, in one term.

    `result` waits for work in the background. Each method may raise `redis.RedisError`, `PyMongoError`,
    `Fenced`, `LeaseLost` and `Interrupted`.

    is_kept: MongoDB has not refused to keep how far this writer is, when it was asked last
    """

    def __init__(
        self,
        term: Term,
        stream: Stream,
        meters: Meters,
        result: Callable[["Future[Any]"], Any],
        stopping: Callable[[], bool],
    ) -> None:
        self._term = term
        self._partition = term.partition
        self._stream = stream
        self._meters = meters
        self._result = result
        self._stopping = stopping
        self._keeper = Keeper(term.epoch)
        self._in_mongo = KeptInMongo(mongo_collection(COLLECTION), term.partition)
        self._under_way: tuple[Kept, Future[bool]] | None = None
        self._kept_upto = -1
        self._again_until = NEVER
        self._clock_ahead_ms = 0.0
        self._is_brought_together = False
        self.is_kept = True
        self._recorded_after = -1

    def begin(self) -> None:
        """Compare what the stores say, and bring them together. Nothing may be in flight."""
        self._is_brought_together = False
        self._under_way = None  # It may arrive whenever it does: what is kept next is more.
        # Redis first: whoever claims MongoDB later than another writer has come later here, too.
        acknowledged = self._stream.claim(self._term.epoch)
        kept = self._result(in_background(self._in_mongo.claim, self._term.epoch))
        if acknowledged is None or kept is None:
            raise LeaseLost(f"{self._term}: another writer has begun.")
        beside = self._look()
        beginning = self._keeper.begin(acknowledged, kept, beside)
        if beginning.redeliver_after is not None:
            self._again_until = beside.last_id
        self._kept_upto = -1
        self._say(beginning, self._stream.begin(beginning))
        self._is_brought_together = True
        self._keep_now()
        self._record_again()

    def lacks(self, entry: Entry) -> bool:
        """Whether something seems to be missing before it: then nothing may be in flight at `read`."""
        numbers = entry.numbers
        return numbers is not None and self._keeper.lacks(*numbers)

    def read(self, entry: Entry) -> None:
        """This entry was read, after those before it.

        Raises:
            BeginAgain: somebody else has what it lacks, or ids have fallen back.
        """
        numbers = entry.numbers
        if numbers is not None and self._keeper.has_fallen(entry.id, numbers[0]):
            raise BeginAgain("the ids of the stream have fallen back.")
        if numbers is not None and self._keeper.lacks(*numbers):
            beside = self._look()
            if self._keeper.is_elsewhere(entry.id, beside):
                raise BeginAgain("another writer has taken an entry.")
            self._record(self._keeper.missing_before(entry.id, *numbers, beside))
        self._keeper.read(entry.id, 0 if numbers is None else numbers[0])
        if not self._keeper.may_store(entry.id):
            self._keep_now()

    def is_delivered_again(self, entry: Entry) -> bool:
        """Whether a writer before this one may have stored some of it."""
        return order(entry.id) <= order(self._again_until)

    def acknowledge(
        self, stored: Sequence[tuple[str, Counter[bytes]]], upto: int, operation_time: str = ""
    ) -> int:
        """As `Stream.acknowledge`; `upto`: their highest number, 0 if none says."""
        counted = self._stream.acknowledge(stored, max(upto, self._keeper.stored), operation_time)
        self._keeper.settled(stored[-1][0], upto)
        return counted

    def turn(self, *, is_settled: bool) -> None:
        """Look whether something has vanished, and have it kept how far this writer has come. Once a second.

        Raises:
            BeginAgain: Redis says less than it did, or somebody else has left something.
        """
        self._record_again()
        beside = self._look()
        if is_settled:
            if self._keeper.is_to_begin_again(beside):
                raise BeginAgain("Redis has lost something, or another writer has left something.")
            self._keeper.learn(beside)
            hole = self._keeper.missing_at_the_end(beside)
            if hole is not None:
                self._record(hole)
                self._keeper.settled(self._keeper.stored_id, hole.last)
                self._stream.say(self._keeper.stored, self._keeper.stored_id)
        self._take_kept()
        if self._keeper.stored != self._kept_upto or self._keeper.is_due(beside.at):
            self._keep(beside.at)

    def close(self) -> None:
        """Have it kept how far this writer has come, so that its successor need not find out."""
        if not self._is_brought_together:
            return  # Then MongoDB goes on to say that Redis is to be brought to what is known.
        kept = self._keeper.to_keep(self._now_ms)
        if self._result(in_background(self._in_mongo.keep, kept, self._keeper.in_mongo)):
            self._stream.kept(kept.upto)

    # --- inside --------------------------------------------------------------------------

    @property
    def _now_ms(self) -> int:
        """By Redis's clock, nearly."""
        return round(time.monotonic() * 1000 + self._clock_ahead_ms)

    def _look(self) -> Beside:
        beside = self._stream.look()
        self._clock_ahead_ms = beside.at - time.monotonic() * 1000
        return beside

    def _keep(self, now_ms: int) -> None:
        """Begin to write it down. One at a time: what is newer follows."""
        if self._under_way is None:
            kept = self._keeper.to_keep(now_ms)
            self._under_way = kept, in_background(self._in_mongo.keep, kept, self._keeper.in_mongo)

    def _keep_now(self) -> None:
        """Wait until positions are reserved beyond everything that was read."""
        backoff = Backoff(first=0.1, longest=5.0)
        while True:
            self._keep(self._now_ms)
            if self._under_way is not None:
                with contextlib.suppress(PyMongoError):
                    self._result(self._under_way[1])
            self._take_kept()
            if self._keeper.may_store(self._keeper.newest):
                return
            rest(backoff.next(random.random()), self._stopping)

    def _take_kept(self) -> None:
        if self._under_way is None or not self._under_way[1].done():
            return
        (kept, writing), self._under_way = self._under_way, None
        try:
            is_current = writing.result()
        except PyMongoError as exc:
            self.is_kept = False
            log.warning(
                "partition %d: MongoDB does not keep how far it is: %s", self._partition, one_line(exc)
            )
            return
        if not is_current:
            raise LeaseLost(f"{self._term}: another writer has begun, or MongoDB has gone back.")
        self.is_kept = True
        self._keeper.kept(kept)
        if kept.upto != self._kept_upto:
            self._stream.kept(kept.upto)
            self._kept_upto = kept.upto

    def _record(self, hole: Hole | None) -> None:
        if hole is not None:
            self._meters.add("vanished", hole.messages)
            log.error(
                "partition %d: %d messages have left the stream before they were stored, behind %s: a gap%s",
                self._partition,
                hole.messages,
                hole.after,
                " (MongoDB had some of them)" if hole.was_stored else "",
            )
            self._result(in_background(self._write_down, hole))

    def _record_again(self) -> None:
        """What was on record in a PostgreSQL that has gone back since, before this term or in it.

        Beside the work: it was acknowledged long ago. If the term ends before, the next one begins with it.
        """
        forgotten = self._term.acknowledged.forgotten
        if forgotten != self._recorded_after:
            self._recorded_after = forgotten
            in_background(self._write_down)

    def _write_down(self, hole: Hole | None = None) -> None:
        """In the background: nothing behind it is acknowledged before. None: what was written down before."""
        backoff = Backoff(first=0.1, longest=5.0)
        try:
            while True:
                try:
                    self._write_gaps(hole)
                    return
                except (DatabaseError, PyMongoError) as exc:
                    log.warning("partition %d: a gap is not recorded yet: %s", self._partition, one_line(exc))
                    connection.close()
                rest(backoff.next(random.random()), self._stopping)
        finally:
            connection.close()

    def _write_gaps(self, hole: Hole | None) -> None:
        if hole is not None:
            gap = vanished.gap(self._term, hole)
            vanished.record(self._term, [gap])
            self._in_mongo.note(gap)
        elif gaps := self._in_mongo.gaps():
            vanished.record(self._term, gaps)

    def _say(self, beginning: Beginning, anew: int) -> None:
        if beginning.mongo_lost:
            log.error(
                "partition %d: MongoDB has gone back: it had acknowledged %d messages more. "
                "What still stands on the stream is stored again, the rest becomes a gap.",
                self._partition,
                beginning.mongo_lost,
            )
        if beginning.redis_lost:
            log.warning(
                "partition %d: Redis has begun anew or has gone back; %d entries that wait were appended "
                "anew, so that no position is given twice.",
                self._partition,
                anew,
            )
