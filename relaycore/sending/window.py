"""One subscription in one sender's term: what was read above its cursor, and what has become of it.

Whoever drives it reads, tries and writes, one after another in each of these; it says what to try, and what
to write. It is read by a cursor, a generation and a revision (`load`), and holds for as long as what it
writes finds them there (`progress`).

`Item` says what a message may be. Each stands in one place: in the window, from the cursor up to where it has
read; among the rows in hand (`again`); or it is kept: known to be out, done or failed in this generation,
above where the window was read anew. Those that come by take up what is known of them; those that do not
are kept until the cursor has passed them: yet another revision may want them.
"""

import bisect
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.leasing import Ahead, Delivery, Rows
from relaycore.delivering.settings import Settings
from relaycore.sending import writing
from relaycore.sending.again import Again
from relaycore.sending.items import Item, Outcome, Progress, State, Withheld
from relaycore.sending.noting import Noting
from relaycore.sending.writing import Step
from relaycore.storing.expiring import Expired

MOST_UNRECORDED: Final = 1000
"""Messages that a sender which dies may have sent without a trace."""

_POSITION: Final = attrgetter("position")
_OUT: Final = State.OUT


class Window:
    """Of one subscription.

    most:      see `MOST_UNRECORDED`
    dead_upto: the highest dead letter above the cursor, as there are after a seek back; empty: there is none
    """

    def __init__(
        self, standing: Standing, settings: Settings, most: int = MOST_UNRECORDED, dead_upto: str = ""
    ) -> None:
        self._most = most
        self._items: deque[Item] = deque()
        self._queue: deque[Item] = deque()
        self._kept: dict[str, Item] = {}
        self._again = Again()
        self.out = 0
        """So many are out, those included of which nothing matters any more."""
        self.size = 0
        """Bytes of the messages that are here, about."""
        self._seen = standing.cursor
        self._begin(standing, settings, dead_upto)

    def load(self, standing: Standing, settings: Settings, dead_upto: str = "") -> None:
        """The subscription stands so by now. What was read is let go.

        In the same generation what is out, done or has failed is kept, until it comes by again.
        """
        if standing.cursor.generation == self._seen.generation:
            self._keep(standing.cursor.position)
        else:
            for one in self._all():
                one.is_let_go = True
            self._kept, self._again = {}, Again()
        self._items.clear()
        self._queue.clear()
        self._again.let_go()
        self._begin(standing, settings, dead_upto)

    def _begin(self, standing: Standing, settings: Settings, dead_upto: str) -> None:
        self.needs_load = False
        self._seen, self._revision = standing.cursor, standing.revision
        self._settings, self._dead_upto = settings, dead_upto
        self._looked = standing.cursor.position
        self._noting = Noting(standing.noted)
        self._step: Step | None = None
        self._count()

    def _keep(self, position: str) -> None:
        for one in self._items:
            if one.is_taken and one.position > position:
                one.parked = None
                self._kept[one.position] = one
            elif one.is_taken and one.parked is not None:
                one.row = one.parked
                self._again.put(one)  # It was written that it has a row, and nobody heard of it.
            else:
                one.is_let_go = True
        self._let_go_kept(position)

    def _let_go_kept(self, position: str) -> None:
        """What was not come by again: it is not wanted any more, or is gone."""
        for passed in [one for one in self._kept if one <= position]:
            self._kept.pop(passed).is_let_go = True

    def _all(self) -> Iterator[Item]:
        yield from self._items
        yield from self._kept.values()
        yield from self._again

    def _count(self) -> None:
        taken = [one for one in self._all() if one.is_taken]
        let_go = self.out - len([one for one in taken if one.state is State.OUT])
        self._unrecorded = len(taken) + let_go
        self._pending = len([one for one in taken if one.may_get_a_row])
        self.size = sum(one.size for one in self._all())

    # --- what is read --------------------------------------------------------------------

    @property
    def place(self) -> Cursor:
        """Up to here everything was looked at: the next page begins right above."""
        return Cursor(self._looked, self._looked, self._seen.generation)

    @property
    def room(self) -> int:
        """So many messages more may be added."""
        return max(0, self._most - len(self._items) - len(self._again))

    @property
    def queued(self) -> int:
        """So many new messages are here that were not tried yet."""
        return len(self._queue)

    def add(self, ahead: Ahead, documents: Sequence[Any], expired: Expired) -> bool:
        """What comes next in the channel. False: it is from elsewhere, and nothing was taken.

        documents: the messages that are named in `ahead`
        expired:   as it stood after they were read, never before
        """
        read_by = ahead.above, ahead.generation, ahead.revision
        if self.needs_load or read_by != (self._looked, self._seen.generation, self._revision):
            return False
        self._noting.find(ahead.above, expired)
        for (position, id), document in zip(ahead.messages, documents, strict=True):
            known = self._kept.pop(position, None)
            if known is None:
                known = Item(position, id, document)
                self._queue.append(known)
                self.size += known.size
            self._items.append(known)
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
        self._again.look(rows)
        self._count()

    @property
    def wants_look(self) -> bool:
        """Whether it goes on only after one."""
        if not self._again.is_known:
            return not self.needs_load
        is_full = self._settings.is_ordered or self._on_their_way >= self._settings.most_outstanding
        return self._again.is_stale and is_full

    @property
    def unread(self) -> list[Delivery]:
        """Rows that are due, and whose messages are to be read."""
        return self._again.unread

    def read(self, documents: Mapping[bytes, Any]) -> None:
        """These messages were looked for, by id; None: it is gone."""
        self._again.read(documents)
        self._count()

    def expire(self, before: str) -> None:
        """What stands below this position is older than the subscription wants. What is out may arrive."""
        while self._queue and self._queue[0].position < before:
            one = self._queue.popleft()
            self.size -= one.size
            one.state, one.document = State.AGED, None
        if len(self._again):
            self._again.expire(before)
            self._count()

    # --- what is tried -------------------------------------------------------------------

    @property
    def _on_their_way(self) -> int:
        return self._again.outstanding + self._pending

    def next(self) -> Item | None:
        """What is to be tried next: what is due again, then what is new. None: nothing, or not now."""
        if self.needs_load or not self._again.is_known:
            return None
        # What is kept stands above what is new, and cannot be recorded before: that goes on one by one.
        if self._unrecorded >= self._most and self._unrecorded > len(self._kept):
            return None
        is_ordered = self._settings.is_ordered
        if is_ordered and self.out:
            return None
        item = self._again.next(is_ordered=is_ordered)
        if item is None:
            most = 1 if is_ordered else self._settings.most_outstanding
            if not self._queue or self._on_their_way >= most:
                return None
            item = self._queue.popleft()
            self._pending += 1
        item.state = _OUT
        self._unrecorded += 1
        self.out += 1
        return item

    @property
    def is_pressed(self) -> bool:
        """Whether it comes near the bound: what is done or has failed is to be written soon."""
        return 2 * (self._unrecorded - self.out) >= self._most

    def settle(self, item: Item, outcome: Outcome) -> None:
        """What came of it. What was let go meanwhile changes nothing."""
        self.out -= 1
        if item.is_let_go:
            self._unrecorded -= 1
            return
        if isinstance(outcome, Withheld):
            self._give_back(item)
            return
        self._pending -= item.row is None
        self.size -= item.size
        item.settle(outcome)
        self._pending += item.may_get_a_row

    def _give_back(self, item: Item) -> None:
        self._unrecorded -= 1
        self._pending -= item.may_get_a_row
        item.state = State.QUEUED
        if item.is_row:
            self._again.give_back(item)
        elif self._kept.pop(item.position, None) is None:
            bisect.insort(self._queue, item, key=_POSITION)
        else:
            self.size -= item.size

    # --- what is written -----------------------------------------------------------------

    def progress(self) -> Progress | None:
        """What is to be written in one step; None: nothing, or that of before is not known to be."""
        if self.needs_load or self._step is not None:
            return None
        # What hangs gets its row while it is out, once it holds up all the others.
        is_stuck = self._unrecorded >= self._most and not self._settings.is_ordered
        passed, upto = writing.passed(self._items, self._seen.position, self._looked, is_stuck=is_stuck)
        self._step = writing.step(
            self._seen, self._revision, upto, passed, self._again, self._noting, self._dead_upto
        )
        return None if self._step is None else self._step.progress

    def recorded(self, progress: Progress) -> None:
        """That is committed."""
        step = self._step
        if step is None or step.progress is not progress:
            return
        self._step = None
        self._seen = progress.cursor
        self._noting.written(progress.noted)
        for _ in step.passed:
            one = self._items.popleft()
            self._pending -= one.may_get_a_row
            if one.parked is None:
                self._unrecorded -= one.is_taken
            else:
                self._put(one)
        for one in step.rows:
            self._unrecorded -= one.is_taken
            self._again.forget(one)
        self._again.written(progress)
        if self._kept:
            self._let_go_kept(progress.cursor.position)
            self._count()

    def _put(self, item: Item) -> None:
        """It was out when it was given a row."""
        item.row = item.parked
        self._again.put(item)
        if item.state is State.QUEUED:  # It was withheld since.
            self._queue.remove(item)
            self._again.give_back(item)

    def missed(self) -> None:
        """It stands elsewhere by now, or it is not known whether that was committed."""
        self._step = None
        self.needs_load = True
