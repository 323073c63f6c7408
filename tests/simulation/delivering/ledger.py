"""PostgreSQL: cursors, rows and records. What a transaction writes is there whole, or not at all.

As `subscribers_app.pulling.ledger`, for which nothing is decided here either.
"""

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from relaycore.delivering import leasing
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.holding import Earlier, Held
from relaycore.delivering.leasing import Delivery, Rows, State
from relaycore.delivering.reading import Wants
from relaycore.delivering.skipping import Noted

from .channel import Away

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Record:
    """Undelivered: above `after`, up to `upto`; at most so many, None: not known.

    key: of this one alone; empty: of all
    """

    cause: str
    after: str
    upto: str
    messages: int | None
    key: str = ""

    def covers(self, position: str) -> bool:
        return self.after < position <= self.upto


@dataclass
class Entry:
    """A locked subscription, as it stands within the transaction.

    number:  no other one ever has it
    earlier: by what something was chosen that waits
    held:    what waits behind another one of its key
    now:     ms since 1970
    """

    cursor: Cursor = field(default_factory=Cursor)
    noted: Noted = field(default_factory=Noted)
    number: int = 0
    is_active: bool = True
    wants: Wants | None = None
    revision: int = 1
    earlier: Sequence[Earlier[Wants | None]] = ()
    rows: dict[str, Delivery] = field(default_factory=dict)
    held: dict[str, Held] = field(default_factory=dict)
    now: int = 0
    records: list[Record] = field(default_factory=list)
    after: list[Callable[[], None]] = field(default_factory=list)

    @property
    def standing(self) -> Standing:
        return Standing(self.cursor, self.noted, self.is_active, self.revision)

    def due(self, most: int) -> Rows:
        way = [self.rows[one] for one in sorted(self.rows) if self.rows[one].state is not State.DEAD]
        due = [one for one in leasing.first_of_each_key(way) if one.is_due(self.now)]
        opened = self.open
        lowest = way[0].position if way else ""
        cut = {one.batch for one in due[:most] if one.batch}
        due = [*due[:most], *(one for one in due[most:] if one.batch in cut)]
        busy = {one.key for one in way}
        return Rows(due, len(way) + len(opened), lowest, busy, dict(self.held), opened[:most])

    @property
    def open(self) -> list[Held]:
        """What waits behind nothing."""
        busy = {one.key for one in self.rows.values() if one.state is not State.DEAD}
        return sorted((one for one in self.held.values() if one.key not in busy), key=lambda one: one.above)

    def find(self, positions: Iterable[str]) -> dict[str, Delivery]:
        return {one: self.rows[one] for one in positions if one in self.rows}

    def insert(self, new: Sequence[Delivery]) -> None:
        """A row that is dead is another one from now on; one that is on its way stays."""
        for one in new:
            if one.position not in self.rows or self.rows[one.position].state is State.DEAD:
                self.rows[one.position] = one

    def update(self, changed: Sequence[Delivery]) -> None:
        self.rows |= {one.position: one for one in changed if one.position in self.rows}

    def delete(self, positions: Iterable[str]) -> None:
        for one in positions:
            self.rows.pop(one, None)

    def hold(self, held: Iterable[Held], free: Iterable[str]) -> None:
        self.held |= {one.key: one for one in held}
        for key in free:
            del self.held[key]

    def record(self, cause: str, after: str, upto: str, messages: int | None, key: str = "") -> None:
        self.records.append(Record(cause, after, upto, messages, key))


class Ledger:
    """Of several subscriptions."""

    def __init__(self, random: random.Random) -> None:
        self._random = random
        self.entries: dict[str, Entry] = {}
        self.clock_offset = 0
        self.time = 0
        self.has_faults = True
        self.lost = 0
        self._numbers = itertools.count(1)
        self.recorded: Callable[[str, Entry], None] = lambda name, entry: None
        self.written: Callable[[str, Entry, Entry], None] = lambda name, before, after: None

    @property
    def now(self) -> int:
        return self.time + self.clock_offset

    def next_number(self) -> int:
        """Of a row that is made: a sequence goes on, whatever becomes of the transaction."""
        return next(self._numbers)

    def transaction(self, name: str, work: Callable[[Entry], Answer]) -> Answer:
        """What this says of the locked row, once it is committed.

        Raises:
            Away: it was not done; or it was, and the answer got lost.
        """
        before = self.entries[name]
        entry = replace(
            before, rows=dict(before.rows), held=dict(before.held), now=self.now, records=[], after=[]
        )
        answer = work(entry)
        self._commit(name, entry)
        return answer

    def as_left(self, name: str, seen: Standing) -> Entry:
        """The row alone, as a process has left it, which nobody has locked."""
        noted, revision = seen.noted, seen.revision
        return Entry(seen.cursor, noted, self.entries[name].number, seen.is_active, revision=revision)

    def write(self, name: str, seen: Standing, entry: Entry) -> bool:
        """The cursor of this one, if the row still stands as it was seen. Raises as `transaction`."""
        now = self.entries[name]
        if not self.stands_as(now, seen):
            return False
        self._commit(name, replace(now, cursor=entry.cursor, records=[], after=entry.after))
        return True

    def stands_as(self, entry: Entry, seen: Standing) -> bool:
        """As the condition of the UPDATE."""
        return entry.standing == seen

    def _commit(self, name: str, entry: Entry) -> None:
        fate = self._random.random() if self.has_faults else 1.0
        before = self.entries[name]
        if fate < 0.05:
            raise Away
        self.entries[name] = entry
        self.recorded(name, entry)
        for then in entry.after:
            then()
        self.written(name, before, entry)
        if fate < 0.1:
            self.lost += 1
            raise Away
