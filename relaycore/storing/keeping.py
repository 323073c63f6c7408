"""What a writer knows of one partition: up to where its messages are stored, and whether that can be so.

Three places know it. None of them is believed alone, since each may be lost or restored from an older copy:

* MongoDB, where the messages are: `Kept`, written by one writer at a time (fenced by its epoch)
* Redis, where they come from: `Beside`, changed in the step that appends or acknowledges
* the entries, which carry running numbers (`relaybase.redis.appending`)

*MongoDB has gone back* if it says less than what it once acknowledged, which Redis knows. Then what still
stands on the stream is delivered again from there, and stored again; the rest is missing in the numbers.
Redis knows which writer has claimed it last, and how often everything was delivered again: one that slept
over that neither acknowledges what it had stored before, nor brings Redis down once more.

*Redis has gone back* if it is another run, knows of no group, or has come less far than MongoDB. Its ids may
be given again then, below a message that some reader has passed. So nothing is stored above a `mark` that was
reserved in MongoDB before. After a loss the ids go on from the mark, and what waits below it is appended
anew, in its order. (A reader passes only what is stored, so nothing above the mark.) An insert under
an earlier id may arrive all the same, so nobody reads what was appended anew before all of it is stored.

*Numbers are missing* where an entry does not begin after the one before, or where nothing waits and more was
appended than is stored. A writer whose term is over may have it still, or may have stored it meanwhile: Redis
says both. What else is missing has left the stream unstored. It is put on record before anything behind it is
acknowledged, since what is acknowledged says that everything below it is stored, or on record. It may be more
than was lost: what a writer stored that died before it could acknowledge it, and whose entry is gone then,
counts as missing.

Without I/O; the writer (`messages_app.writing`) does what follows, and the simulator plays it.
"""

from dataclasses import dataclass
from typing import Final

from relaycore.position import NEVER, milliseconds_of, order
from relaycore.storing.known import Beside, Kept

AHEAD_MS: Final = 6_000
"""So far ahead of the newest id positions are reserved: the ids jump by no more after a loss."""

_RENEWED_AT_MS: Final = 3_000
"""With so much left the next ones are reserved, so that nothing waits for it."""


@dataclass(frozen=True, slots=True)
class Hole:
    """These messages have left the stream and are not stored.

    first, last: their numbers
    after:       the id of the last entry before them
    at:          when they were gone for certain: ms since 1970, by Redis's clock
    was_stored:  MongoDB had some of them once
    """

    first: int
    last: int
    after: str
    at: int
    was_stored: bool = False

    @property
    def messages(self) -> int:
        """How many."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is to be done before anything is read.

    stored, stored_id: what Redis is to say from now on
    redeliver_after:   deliver again what stands behind this id, and count anew; None: nothing
    raise_to:          ids go on from here, and if what waits is not above it already, it is appended anew;
                       empty: they may go on
    makes_group:       the group is not there yet. Else it is not made: if it is gone by now, begin again
    mongo_lost:        so many messages less than it had acknowledged does MongoDB have
    redis_lost:        Redis has lost something: its data, or the end of them
    """

    stored: int
    stored_id: str
    redeliver_after: str | None = None
    raise_to: str = ""
    makes_group: bool = False
    mongo_lost: int = 0
    redis_lost: bool = False


class Keeper:
    """The numbers and positions of one partition, for one writer in one term of this epoch.

    stored, stored_id: everything up to here is stored, or on record; ends with the entry of this id
    mark:              positions up to this id are reserved
    in_mongo:          MongoDB has said so much; if it says less, it has gone back
    """

    def __init__(self, epoch: int) -> None:
        self._epoch = epoch
        self._run_id = ""
        self._read = self._was_stored = self.in_mongo = 0
        self._read_id = NEVER
        self.stored = 0
        self.stored_id = NEVER
        self.mark = NEVER

    def begin(self, acknowledged: int, kept: Kept, beside: Beside) -> Beginning:
        """Compare what the stores say. Nothing of this partition may be in flight here.

        In the order in which they were asked, since another writer may still be at work: what Redis said as
        `Beside.kept`, then MongoDB, which takes nothing from an earlier term since then, then Redis again.
        """
        # A writer of an earlier term may have brought Redis down to a MongoDB that has gone back.
        acknowledged = max(acknowledged, self.in_mongo)
        mongo_lost = max(0, acknowledged - kept.upto)
        self.in_mongo = kept.upto
        known = [(kept.upto, kept.position)]
        if not mongo_lost:
            known += [(self.stored, self.stored_id), (beside.stored or 0, beside.stored_id)]
        self.stored, self.stored_id = max(known, key=lambda one: (one[0], order(one[1])))
        self._was_stored = max(self._was_stored, acknowledged)
        self._read, self._read_id = self.stored, self.stored_id
        self.mark = max(kept.mark, self.mark, key=order)
        redis_lost = self._has_lost(kept, beside)
        self._run_id = beside.run_id
        return Beginning(
            self.stored,
            self.stored_id,
            redeliver_after=self._again_after(beside) if mongo_lost else None,
            raise_to=self.mark if redis_lost else "",
            makes_group=not beside.has_group,
            mongo_lost=mongo_lost,
            redis_lost=redis_lost,
        )

    # --- numbers -------------------------------------------------------------------------

    def lacks(self, upto: int, messages: int) -> bool:
        """Whether something seems to be missing before an entry of so many messages, up to this number."""
        return upto - messages > self._read

    def is_elsewhere(self, id: str, beside: Beside) -> bool:
        """Whether somebody else has what this entry lacks: begin again, with what is not acknowledged.

        Everything that was read here before is settled.
        """
        return bool(beside.waiting) and order(beside.waiting) < order(id)

    def has_fallen(self, id: str, upto: int) -> bool:
        """Whether an entry that comes later has an id that is not above what was read: begin again.

        The stream was lost, and somebody else has made the group anew, so that this did not show.
        """
        return upto > self._read and order(id) <= order(self._read_id)

    def missing_before(self, id: str, upto: int, messages: int, beside: Beside) -> Hole | None:
        """What is missing before an entry that `lacks` something. Everything read before is settled."""
        before = upto - messages
        read = max(self._read, beside.stored or 0)  # Somebody else may have stored it meanwhile.
        return self._hole(read, before, self._read_id, milliseconds_of(id))

    def missing_at_the_end(self, beside: Beside) -> Hole | None:
        """What was appended, and neither waits nor is stored. Nothing may be in flight here."""
        if beside.waiting or beside.upto is None:
            return None
        return self._hole(self.stored, beside.upto, self.stored_id, beside.at)

    def read(self, id: str, upto: int) -> None:
        """This entry was read, and nothing is missing before it."""
        self._read = max(self._read, upto)
        self._read_id = max(self._read_id, id, key=order)

    def settled(self, id: str, upto: int) -> None:
        """Everything up to this entry and number is stored, or on record."""
        self.read(id, upto)
        self.stored = max(self.stored, upto)
        self.stored_id = max(self.stored_id, id, key=order)

    def learn(self, beside: Beside) -> None:
        """A writer whose term is over may have stored what it had."""
        if beside.stored is not None and beside.stored > self.stored:
            self.settled(beside.stored_id, beside.stored)
        self.in_mongo = max(self.in_mongo, beside.kept)

    def is_to_begin_again(self, beside: Beside) -> bool:
        """Whether Redis says less than it did, or somebody has left something. Nothing may be in flight."""
        if beside.run_id != self._run_id or not beside.has_group or beside.delivered:
            return True
        return self.stored > (beside.stored or 0) or order(beside.last_id) < order(self.stored_id)

    # --- positions -----------------------------------------------------------------------

    @property
    def newest(self) -> str:
        """The id of the last entry that was read."""
        return self._read_id

    def may_store(self, id: str) -> bool:
        """Whether positions are reserved up to this entry."""
        return order(id) <= order(self.mark)

    def is_due(self, now_ms: int) -> bool:
        """Whether the next positions are to be reserved. `now_ms`: Redis's clock."""
        return milliseconds_of(self.mark) - now_ms < _RENEWED_AT_MS

    def to_keep(self, now_ms: int) -> Kept:
        """What MongoDB is to say from now on; tell `kept` when it does. `now_ms`: Redis's clock."""
        newest = max(now_ms, milliseconds_of(self._read_id))
        mark = max(f"{newest + AHEAD_MS}-0", self.mark, key=order)
        return Kept(self._epoch, self.stored, self.stored_id, mark, self._run_id)

    def kept(self, kept: Kept) -> None:
        """MongoDB has acknowledged this."""
        self.in_mongo = max(self.in_mongo, kept.upto)
        self.mark = max(self.mark, kept.mark, key=order)

    # --- inside --------------------------------------------------------------------------

    def _hole(self, stored: int, before: int, after: str, at: int) -> Hole | None:
        if before <= stored:
            return None
        return Hole(stored + 1, before, after, at, was_stored=stored < self._was_stored)

    def _has_lost(self, kept: Kept, beside: Beside) -> bool:
        if kept.mark == NEVER:
            return False  # Nothing was ever stored.
        if kept.run_id != beside.run_id or not beside.has_group or (beside.stored or 0) < kept.upto:
            return True
        if beside.before is not None and beside.before >= self.stored:
            return order(beside.waiting) <= order(self.stored_id)
        return order(beside.last_id) < order(self.stored_id)

    def _again_after(self, beside: Beside) -> str:
        """What waited for longer than what is stored is not to be passed over."""
        waits_below = beside.waiting and order(beside.waiting) <= order(self.stored_id)
        return NEVER if waits_below else self.stored_id
