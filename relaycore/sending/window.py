"""One subscription in one sender's term: what was read above its cursor, and what has become of it.

Whoever drives it reads, tries and writes, one after another in each of these; it says what to try, and what
to write. It is read by a cursor, a generation and a revision (`load`), and holds for as long as what it
writes finds them there (`progress`).

`Item` says what a message may be, and `contents` where it stands. Those that come by once more take up what
is known of them; those that do not are kept until the cursor has passed them: yet another revision may want
them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Held, Reread
from relaycore.delivering.leasing import Ahead, Delivery, Rows
from relaycore.delivering.settings import Settings
from relaycore.sending import writing
from relaycore.sending.batches.batch import Batch
from relaycore.sending.batches.composing import Limits
from relaycore.sending.contents import Contents
from relaycore.sending.items import Item, Outcome, Progress
from relaycore.sending.noting import Noting
from relaycore.sending.writing import Step
from relaycore.storing.expiring import Expired

MOST_UNRECORDED: Final = 1000
"""Messages that a sender which dies may have sent without a trace."""


class Window:
    """Of one subscription.

    is_lingering: what there is waits for more, since it was asked for a batch last
    most:      see `MOST_UNRECORDED`
    dead_upto: the highest dead letter above the cursor, as there are after a seek back; empty: there is none
    """

    def __init__(
        self, standing: Standing, settings: Settings, most: int = MOST_UNRECORDED, dead_upto: str = ""
    ) -> None:
        self._most = most
        self._here = Contents()
        self._seen = standing.cursor
        self._begin(standing, settings, dead_upto)

    def load(self, standing: Standing, settings: Settings, dead_upto: str = "") -> None:
        """The subscription stands so by now. What was read is let go.

        In the same generation what is out, done or has failed is kept, until it comes by again.
        """
        is_the_same = standing.cursor.generation == self._seen.generation
        self._here.load(standing.cursor.position if is_the_same else None)
        self._begin(standing, settings, dead_upto)

    def _begin(self, standing: Standing, settings: Settings, dead_upto: str) -> None:
        self.needs_load = False
        self._seen, self._revision = standing.cursor, standing.revision
        self._settings, self._dead_upto = settings, dead_upto
        self._looked = standing.cursor.position
        self._hurried, self.is_lingering = "", False
        self._noting = Noting(standing.noted)
        self._step: Step | None = None
        self._here.count()

    @property
    def out(self) -> int:
        """So many are out, those included of which nothing matters any more."""
        return self._here.out

    @property
    def size(self) -> int:
        """Bytes of the messages that are here, about."""
        return self._here.size

    # --- what is read --------------------------------------------------------------------

    @property
    def place(self) -> Cursor:
        """Up to here everything was looked at: the next page begins right above."""
        return Cursor(self._looked, self._looked, self._seen.generation)

    @property
    def room(self) -> int:
        """So many messages more may be added."""
        return max(0, self._most - len(self._here.items) - len(self._here.again))

    @property
    def queued(self) -> int:
        """So many new messages are here that may be tried."""
        return len(self._here.queue)

    def add(self, ahead: Ahead, documents: Sequence[Any], expired: Expired) -> bool:
        """What comes next in the channel. False: it is from elsewhere, and nothing was taken.

        documents: the messages that are named in `ahead`
        expired:   as it stood after they were read, never before
        """
        read_by = ahead.above, ahead.generation, ahead.revision
        if self.needs_load or read_by != (self._looked, self._seen.generation, self._revision):
            return False
        self._noting.find(ahead.above, expired)
        self._here.add(ahead, documents)
        self._looked = ahead.upto
        return True

    def look(self, standing: Standing, rows: Rows) -> None:
        """What PostgreSQL says of its rows, after all that was written, and before more is.

        standing: of the same moment. If it is another one, the rows are of another one, too
        """
        if self._step is not None or self.needs_load:
            return
        if not standing.cursor.stands_as(self._seen) or standing.revision != self._revision:
            self.missed()
            return
        self._here.look(rows)

    @property
    def wants_look(self) -> bool:
        """Whether it goes on only after one, or will once what is being written is: both may be one step."""
        if not self._here.again.is_known:
            return not self.needs_load
        is_written = self._step is not None and self._step.progress.touches_rows
        is_full = self._settings.is_ordered or self._here.on_their_way >= self._settings.most_outstanding
        return (self._here.again.is_stale or is_written) and is_full

    @property
    def unread(self) -> list[Delivery]:
        """Rows that are due, and whose messages are to be read."""
        return self._here.again.unread

    @property
    def opened(self) -> list[Held]:
        """Keys of which the next message is to be read, the lowest first."""
        return [] if self.needs_load else self._here.keys.opened(self._here.again)

    def reread(self, reread: Mapping[str, Reread], documents: Iterable[Any]) -> bool:
        """This was read for them. Whether there is something to write."""
        return self._here.keys.read(reread, documents)

    def read(self, documents: Mapping[bytes, Any]) -> None:
        """These messages were looked for, by id; None: it is gone."""
        self._here.again.read(documents)
        self._here.count()

    def expire(self, before: str) -> None:
        """What stands below this position is older than the subscription wants. What is out may arrive."""
        self._here.expire(before)

    # --- what is tried -------------------------------------------------------------------

    def next(self) -> Item | None:
        """What is to be tried next: what is due again, then what is new. None: nothing, or not now."""
        here, is_ordered = self._here, self._settings.is_ordered
        if self.needs_load or not here.again.is_known:
            return None
        # What is kept stands above what is new, and cannot be recorded before: that goes on one by one.
        if here.unrecorded >= self._most and here.unrecorded > len(here.kept):
            return None
        if is_ordered and here.out:
            return None
        return here.next(1 if is_ordered else self._settings.most_outstanding, is_ordered=is_ordered)

    def next_batch(self, most: int) -> Batch | None:
        """The same, of at most so many messages that go together (`batches`). In no order by a field."""
        here, settings = self._here, self._settings
        self.is_lingering = False
        if self.needs_load or not here.again.is_known or (settings.is_ordered and here.out):
            return None
        # What is kept cannot be recorded before what is new: beside it there may be one batch.
        room = self._most if here.unrecorded <= len(here.kept) else self._most - here.unrecorded
        if room <= 0:
            return None
        limits, places = Limits(most, room), (self._looked, self._hurried)
        found = here.next_together(limits, settings.most_outstanding, *places, is_ordered=settings.is_ordered)
        self.is_lingering = found is None
        return Batch(found) if found else None

    def hurry(self) -> None:
        """What is here waits for nothing more to go together with it."""
        self._hurried = self._looked

    @property
    def is_pressed(self) -> bool:
        """Whether it comes near the bound: what is done or has failed is to be written soon."""
        return 2 * (self._here.unrecorded - self._here.out) >= self._most

    def settle(self, item: Item, outcome: Outcome) -> None:
        """What came of it. What was let go meanwhile changes nothing."""
        self._here.settle(item, outcome)

    def settle_batch(self, batch: Batch, outcome: Outcome) -> None:
        """The same of all that went together."""
        for one in batch.items:
            self._here.settle(one, outcome)

    # --- what is written -----------------------------------------------------------------

    def progress(self) -> Progress | None:
        """What is to be written in one step; None: nothing, or that of before is not known to be."""
        if self.needs_load or self._step is not None:
            return None
        here = self._here
        passing = writing.passed(
            here.items, self._seen.position, self._looked, here.keys.is_parked, is_stuck=self._is_stuck
        )
        self._step = writing.step(
            self._seen, self._revision, passing, here.again, self._noting, here.keys, self._dead_upto
        )
        if self._step is None:
            return None
        if self._step.held:
            here.hold(self._step.held)
        return self._step.progress

    @property
    def _is_stuck(self) -> bool:
        """What hangs gets its row while it is out, once it holds up all the others."""
        if self._settings.is_ordered:
            return False
        # Or all the room is taken by what waits behind it.
        is_full = self._here.queue.has_behind and not (self.queued or self.room)
        return is_full or self._here.unrecorded >= self._most

    def recorded(self, progress: Progress) -> None:
        """That is committed."""
        step = self._step
        if step is None or step.progress is not progress:
            return
        self._step = None
        self._seen = progress.cursor
        self._noting.written(progress.noted)
        self._here.recorded(step)

    def missed(self) -> None:
        """It stands elsewhere by now, or it is not known whether that was committed."""
        self._step = None
        self.needs_load = True
