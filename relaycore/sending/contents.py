"""What is in a window: each message in one place, and how much all of it is.

It stands among the new ones, from the cursor up to where was read; among the rows in hand; or it is kept:
known to be out, done or failed in this generation, above where the window was read anew.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from typing import Any, Final

from relaycore.delivering.leasing import Ahead, Rows
from relaycore.sending.again import Again
from relaycore.sending.batches.composing import Limits
from relaycore.sending.items import Item, Outcome, State, Withheld
from relaycore.sending.keyed.keys import Keys
from relaycore.sending.keyed.queue import Queue
from relaycore.sending.writing import Step

_OUT: Final = State.OUT
_DONE: Final = State.DONE


class Contents:
    """Of one window.

    items:      new messages, in order
    queue:      those of them that were not tried yet
    kept:       by position
    again:      rows in hand
    keys:       in an order by a field
    out:        so many are out, those included of which nothing matters any more
    unrecorded: so many are out, done or failed without a trace
    pending:    so many of them may need a row that is on its way
    size:       bytes of the messages that are here, about
    """

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.keys = Keys()
        self.queue = Queue(self.keys)
        self.kept: dict[str, Item] = {}
        self.again = Again()
        self.out = self.unrecorded = self.pending = self.size = 0
        self._has_keys = False

    def _all(self) -> Iterator[Item]:
        yield from self.items
        yield from self.kept.values()
        yield from self.again

    def count(self) -> None:
        """How much it is, from what is there."""
        taken = [one for one in self._all() if one.is_taken]
        let_go = self.out - len([one for one in taken if one.state is State.OUT])
        self.unrecorded = len(taken) + let_go
        self.pending = len([one for one in taken if one.may_get_a_row])
        self.size = sum(one.size for one in self._all())

    @property
    def on_their_way(self) -> int:
        """So many rows there are, or may be."""
        return self.again.outstanding + self.pending

    # --- what is let go ------------------------------------------------------------------

    def load(self, position: str | None) -> None:
        """It is read anew from here, in the same generation; None: after a seek."""
        if position is not None:
            self._keep(position)
        else:
            for one in self._all():
                one.is_let_go = True
            self.kept, self.again = {}, Again()
        self.items.clear()
        self.queue.clear()
        self.again.let_go()
        self.keys.forget()

    def _keep(self, position: str) -> None:
        for one in self.items:
            if one.is_taken and one.position > position:
                one.parked = None
                self.kept[one.position] = one
            elif one.is_taken and one.parked is not None:
                one.row = one.parked
                self.again.put(one)  # It was written that it has a row, and nobody heard of it.
            else:
                one.is_let_go = True
        self.let_go_kept(position)

    def let_go_kept(self, position: str) -> None:
        """What was not come by again: it is not wanted any more, or is gone."""
        for passed in [one for one in self.kept if one <= position]:
            self.kept.pop(passed).is_let_go = True

    # --- what comes ----------------------------------------------------------------------

    def add(self, ahead: Ahead, documents: Sequence[Any]) -> None:
        """What comes next. What is kept takes its place among it."""
        if not (self.kept or any(ahead.keys)):
            new = [
                Item(position, id, document)
                for (position, id), document in zip(ahead.messages, documents, strict=True)
            ]
            self.items += new
            self.queue.add_without_keys(new)
            self.size += sum(len(one["message"]) for one in documents)
            return
        self._has_keys = self._has_keys or any(ahead.keys)
        keys = ahead.keys or [""] * len(ahead.messages)
        was_kept = False
        for (position, id), document, key in zip(ahead.messages, documents, keys, strict=True):
            known = self.kept.pop(position, None)
            if known is None:
                known = Item(position, id, document, key=key)
                self.queue.add(known)
                self.size += known.size
            else:
                was_kept = True
            self.items.append(known)
        if was_kept:
            self.regroup()

    def look(self, rows: Rows) -> None:
        """What PostgreSQL says of rows."""
        self._has_keys = self._has_keys or bool(rows.keys or rows.held)
        self.again.look(rows)
        self.keys.look(rows)
        self.regroup()
        self.count()

    def expire(self, before: str) -> None:
        """What stands below is too old. What is out may arrive."""
        for one in self.queue.expire(before):
            self.size -= one.size
            one.state, one.document = State.AGED, None
        self.regroup()
        if len(self.again):
            self.again.expire(before)
            self.count()

    def regroup(self) -> None:
        """What is known of keys is another thing by now."""
        if self._has_keys:
            self.queue.rebuild(self.items)

    # --- what is tried -------------------------------------------------------------------

    def next(self, most_on_their_way: int, *, is_ordered: bool) -> Item | None:
        """What is tried next, a row if there is one; it is out from then on."""
        again, item = self.again, None
        if again.ready:
            item = again.next(self.keys.is_out, is_ordered=is_ordered)
        if item is None:
            if self.on_their_way >= most_on_their_way or (item := self.queue.take()) is None:
                return None
            self.pending += 1
        item.state = _OUT
        if item.key:
            self.keys.begins(item)
        self.unrecorded += 1
        self.out += 1
        return item

    def next_together(
        self, limits: Limits, most_on_their_way: int, looked: str, hurried: str, *, is_ordered: bool
    ) -> Sequence[Item] | None:
        """The same, of what goes together; empty: there is nothing. None: what there is waits for more.

        looked:  up to here everything was read
        hurried: up to here nothing new waits any more
        """
        is_elsewhere = partial(self._is_elsewhere, looked)
        found = self.again.next_together(limits, is_elsewhere, is_ordered=is_ordered)
        if found is None:
            return ()
        if not found:
            on_their_way = self.on_their_way
            free = 0 if is_ordered and on_their_way else max(0, most_on_their_way - on_their_way)
            room = replace(limits, room=min(limits.room, free))
            found = self.queue.take_together(room, hurried, may_wait=self.out > 0)
            if not found:
                return found
            self.pending += len(found)
        for one in found:
            one.state = _OUT
        self.unrecorded += len(found)
        self.out += len(found)
        return found

    def _is_elsewhere(self, looked: str, batch: str) -> bool:
        """Whether one of it is out or has failed, and has no row, and may get one."""
        coming = (one for one in self.kept.values() if one.position > looked)
        return any(one.is_taken and one.batch == batch for one in chain(self.items, coming))

    def settle(self, item: Item, outcome: Outcome) -> None:
        """What came of it."""
        self.out -= 1
        if item.key:
            self.keys.ends(item)
        if item.is_let_go:
            self.unrecorded -= 1
            return
        if isinstance(outcome, Withheld):
            self._give_back(item)
            return
        self.pending -= item.row is None
        self.size -= item.size
        item.settle(outcome)
        self.pending += item.may_get_a_row
        if item.key and not item.is_row and item.position not in self.kept:
            self.queue.ended(item)

    def _give_back(self, item: Item) -> None:
        self.unrecorded -= 1
        self.pending -= item.may_get_a_row
        item.state = State.QUEUED
        if item.is_row:
            self.again.give_back(item)
        elif self.kept.pop(item.position, None) is None:
            self.queue.give_back(item)
        else:
            self.size -= item.size

    # --- what is written -----------------------------------------------------------------

    def hold(self, held: Iterable[Item]) -> None:
        """These are about to be passed, and wait behind another one of their key."""
        self.keys.holds(held)
        for one in held:
            one.state = State.HELD
        self.regroup()

    def recorded(self, step: Step) -> None:
        """That is committed."""
        for _ in step.passed:
            one = self.items.popleft()
            if one.parked is None and one.state is _DONE:
                self.unrecorded -= 1
                continue
            self.pending -= one.may_get_a_row
            if one.parked is not None:
                if one.state is State.QUEUED:
                    self.queue.remove(one)  # It was withheld since.
                self._put(one)
            elif one.is_taken:
                self.unrecorded -= 1
            elif one.state is State.HELD:
                self.size -= one.size
        for one in step.rows:
            self.unrecorded -= one.is_taken
            self.again.forget(one)
        for one in step.found:
            self.size += one.size
            self._put(one)
        self.again.written(step.progress)
        self.keys.written(step.progress)
        self.regroup()
        if self.kept:
            self.let_go_kept(step.progress.cursor.position)
            self.count()

    def _put(self, item: Item) -> None:
        """It has a row from now on."""
        item.row = item.parked
        self.again.put(item)
        if item.state is State.QUEUED:
            self.again.give_back(item)
