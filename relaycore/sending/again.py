"""Rows that are due: what PostgreSQL says of them, and what has become of those that are in hand."""

import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from relaycore.delivering.leasing import Delivery, Rows
from relaycore.delivering.leasing import State as RowState
from relaycore.sending.batches.composing import Limits, of_rows
from relaycore.sending.items import AGED, EXPIRED, Item, Lost, Progress, State

_POSITION = attrgetter("position")


class Again:
    """Of one window.

    is_known:    PostgreSQL was asked since the window was read. Before, nothing may be tried
    is_stale:    something was written since it was asked
    outstanding: so many are on their way, those that were written since included
    ready:       those that may be tried, in order
    """

    def __init__(self) -> None:
        self.is_known = self.is_stale = False
        self.outstanding = 0
        self._lowest = ""
        self._grown = set[str]()
        self._items: dict[str, Item] = {}
        self.ready: list[Item] = []

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Item]:
        return iter(self._items.values())

    def look(self, rows: Rows) -> None:
        """These are due. What was, and is not out, has been skipped, or comes with a later look."""
        self.is_known, self.is_stale = True, False
        self.outstanding, self._lowest = rows.outstanding, rows.lowest
        self._grown.clear()
        before = self._items
        self._items = {one.position: one for one in before.values() if _stays(one)}
        for row in rows.due:
            known = before.get(row.position)
            if known is None or (known.row != row and not _stays(known)):
                known = Item(row.position, row.id, None, row)
            self._items[row.position] = known
        self._sort()

    @property
    def unread(self) -> list[Delivery]:
        """Those whose messages are to be read."""
        return [one.row for one in self._items.values() if one.state is State.UNREAD and one.row is not None]

    def read(self, documents: Mapping[bytes, Any]) -> None:
        """These messages were looked for, by id; None: it is gone."""
        for one in self._items.values():
            if one.state is State.UNREAD and one.id in documents:
                one.document = documents[one.id]
                one.state = State.LOST if one.document is None else State.QUEUED
        self._sort()

    def expire(self, before: str) -> None:
        """What stands below is older than is wanted."""
        for one in self._items.values():
            if one.position < before and one.state in (State.UNREAD, State.QUEUED):
                one.state, one.document = State.AGED, None
        self._sort()

    def next(self, is_out: Callable[[str], bool], *, is_ordered: bool) -> Item | None:
        """Which is tried next. In order nothing but the lowest of all that are on their way.

        is_out: whether something of this key is under way
        """
        if not self.ready or (is_ordered and self.ready[0].position != self._lowest):
            return None
        for at, one in enumerate(self.ready):
            if not (one.key and is_out(one.key)):
                return self.ready.pop(at)
        return None

    def next_together(
        self, limits: Limits, is_elsewhere: Callable[[str], bool], *, is_ordered: bool
    ) -> Sequence[Item] | None:
        """Which are tried together next; empty: none now. None: none, and nothing that is new before them.

        is_elsewhere: whether a message of this batch is out or has failed, and has no row
        """
        if not self.ready or (is_ordered and self.ready[0].position != self._lowest):
            return ()
        torn = {one.row.batch for one in self._items.values() if one.row is not None and _is_missing(one)}
        torn |= self._grown

        def is_torn(batch: str) -> bool:
            return batch in torn or is_elsewhere(batch)

        found = of_rows(self.ready, is_torn, limits, is_ordered=is_ordered)
        if found:
            gone = {one.position for one in found}
            self.ready = [one for one in self.ready if one.position not in gone]
        return found

    def give_back(self, item: Item) -> None:
        """It was not tried after all."""
        bisect.insort(self.ready, item, key=_POSITION)

    def put(self, item: Item) -> None:
        """It has a row from now on, and is out, or was."""
        self._items[item.position] = item

    def settled(self) -> list[Item]:
        """Those for which something is to be written."""
        return [one for one in self._items.values() if one.state in _SETTLED]

    def forget(self, item: Item) -> None:
        """What became of it is written."""
        del self._items[item.position]

    def written(self, progress: Progress) -> None:
        """What it says is committed. What went is not counted: somebody else may have let it go before."""
        self.is_stale = self.is_stale or progress.touches_rows
        self.outstanding += len([one for one in progress.new if one.state is not RowState.DEAD])
        # Of these there may be more rows than were looked at.
        self._grown.update(one.batch for one in progress.new if one.batch)

    def let_go(self) -> None:
        """PostgreSQL is to be asked anew; but what is out, or was, needs no other attempt."""
        self.is_known = False
        self._items = {one.position: one for one in self._items.values() if one.is_taken}
        self.ready = []

    def _sort(self) -> None:
        self.ready = sorted((one for one in self._items.values() if one.state is State.QUEUED), key=_POSITION)


_SETTLED = frozenset({State.DONE, State.FAILED, State.LOST, State.AGED})


def _stays(item: Item) -> bool:
    return item.state is State.OUT or item.state in _SETTLED


def _is_missing(item: Item) -> bool:
    """Whether it cannot be tried yet, and may be soon."""
    return item.state is State.UNREAD or item.state is State.OUT


def lost(item: Item) -> Lost | None:
    """It goes, on record; None: it does not."""
    if item.row is None or item.state not in (State.LOST, State.AGED):
        return None
    return Lost(item.row, EXPIRED if item.state is State.LOST else AGED)
