"""A quarantine, a stream that loses its tail, operators who send again, and writers who store.

Whatever anybody does is a step, and between two of them he may be killed or frozen. A writer that thaws
meets its successor. MongoDB refuses a message until its cause is mended.

Kept at every step: no message is neither stored nor in quarantine, none is in quarantine more often than at
first, and what is said of a row is so. Kept at the end, when nothing breaks any more: everything is stored,
and nothing is in quarantine.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from relaycore.position import first_of
from relaycore.storing import retrying
from relaycore.storing.retrying import Row, Standing

Steps = Iterator[None]

_LENGTH = 120
_ROUNDS = 6
_KEYS = ["a", "a", "b", "c"]
"""Of the rows at first: one message was refused twice."""


class Broken(Exception):
    """What is promised is not so."""


@dataclass(frozen=True)
class Entry:
    """Of the stream: one message, and the row that it was in."""

    number: int
    row: int

    @property
    def position(self) -> str:
        """Where its message stands."""
        return first_of(f"{self.number}-0")


@dataclass
class Redis:
    """Its stream, and what of it would survive the loss of the last second."""

    entries: list[Entry] = field(default_factory=list)
    acknowledged: set[Entry] = field(default_factory=set)
    kept: tuple[list[Entry], set[Entry]] = field(default_factory=lambda: ([], set()))
    lost: set[str] = field(default_factory=set)
    clock: int = 100

    def waiting(self) -> list[Entry]:
        """What is not acknowledged, in order."""
        return [entry for entry in self.entries if entry not in self.acknowledged]

    def below(self) -> str:
        """The watermark."""
        self.clock += 1
        waiting = self.waiting()
        return waiting[0].position if waiting else first_of(f"{self.clock}-0")

    def append(self, row: int) -> Entry:
        """One more."""
        self.clock += 1
        self.entries.append(Entry(self.clock, row))
        return self.entries[-1]

    def keep(self) -> None:
        """All of it is on disk."""
        self.kept = list(self.entries), set(self.acknowledged)

    def lose(self) -> None:
        """What is not."""
        self.lost |= {entry.position for entry in self.entries if entry not in self.kept[0]}
        self.entries, self.acknowledged = list(self.kept[0]), set(self.kept[1])


class World:
    """All of it. The controls replace what an operator and a writer do."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.redis = Redis()
        self.keys = dict(enumerate(_KEYS))
        self.rows = {row: Row(first_of(f"{row + 1}-0")) for row in self.keys}
        self.stored: set[str] = set()
        self.back: set[int] = set()
        self.mended: set[str] = set()
        self.running: list[Steps] = []
        self.frozen: list[Steps] = []

    # --- who does something --------------------------------------------------------------

    def operator(self, row: int) -> Steps:
        """Sends one again, if it is not on its way: what `messages_app.writing.retrying` does."""
        below = self.redis.below()
        yield
        if row not in self.rows or not self.look(row, below).may_be_sent:
            return
        yield
        entry = self.redis.append(row)
        yield
        self.mark(entry)

    def mark(self, entry: Entry) -> None:
        """What an operator does once it stands."""
        if (row := self.rows.get(entry.row)) is not None:
            self.rows[entry.row] = replace(row, sent=retrying.mark(f"{entry.number}-0"))

    def writer(self) -> Steps:
        """Stores what waits: what `messages_app.writing.inserting` does, and then acknowledges."""
        batch = self.redis.waiting()[: self.chance.randint(1, 3)]
        refused = set()
        for at, entry in enumerate(batch):
            yield
            if self.keys[entry.row] in self.mended:
                self.stored.add(self.keys[entry.row])
            elif self.keys[entry.row] not in self.stored:
                refused.add(at)
        yield from self.settle(batch, refused)

    def settle(self, batch: list[Entry], refused: set[int]) -> Steps:
        """What a writer does with rows and entries, once everything is stored or refused."""
        yield from self.renew([batch[at] for at in sorted(refused)])
        yield from self.forget([batch[at] for at in retrying.stored(range(len(batch)), refused)])
        self.acknowledge(batch)

    def renew(self, entries: list[Entry]) -> Steps:
        """They are refused again."""
        for entry in entries:
            if entry.row not in self.rows:
                self.back.add(entry.row)
            row = self.rows.get(entry.row, Row(""))
            if row.is_renewed_by(entry.position):
                self.rows[entry.row] = replace(row, position=entry.position)
            yield

    def forget(self, entries: list[Entry]) -> Steps:
        """They are stored."""
        for entry in entries:
            self.rows.pop(entry.row, None)
            yield

    def acknowledge(self, batch: list[Entry]) -> None:
        """What Redis still has of it."""
        self.redis.acknowledged |= set(batch) & set(self.redis.entries)

    # --- what is promised ----------------------------------------------------------------

    def look(self, number: int, below: str) -> Standing:
        """What is said of a row as it is now; it must be so.

        A writer that was frozen may bring back the row of what its successor has stored: rather that than
        that a message is lost. What is said of such a row may be untrue until it is sent again.
        """
        row = self.rows[number]
        standing = row.standing(below)
        waits = any(entry.position == row.sent for entry in self.redis.waiting())
        is_known = number not in self.back and row.sent not in self.redis.lost
        if standing is Standing.LOST and is_known:
            raise Broken("said to be lost, and it was not")
        if standing is Standing.ON_ITS_WAY and is_known and not waits:
            raise Broken("said to be on its way, and it has come")
        if waits and row.is_sent and standing.may_be_sent:
            raise Broken("sent again while it is on its way")
        return standing

    def require(self) -> None:
        """Nothing is lost, nothing is doubled."""
        in_quarantine = Counter(self.keys[row] for row in self.rows)
        for key, most in Counter(_KEYS).items():
            if key not in self.stored and not in_quarantine[key]:
                raise Broken("lost")
            if in_quarantine[key] > most:
                raise Broken("in quarantine twice")

    # --- what happens --------------------------------------------------------------------

    def play(self) -> None:
        """All of it, with an end at which nothing breaks any more."""
        for _ in range(_LENGTH):
            self._happen()
            self.require()
        self.mended = set(_KEYS)
        for steps in (*self.running, *self.frozen):
            self._end(steps)
        for _ in range(_ROUNDS):
            for row in list(self.rows):
                self._end(self.operator(row))
            while self.redis.waiting():
                self._end(self.writer())
        if self.rows or self.stored != set(_KEYS):
            raise Broken("not stored, or in quarantine for ever")

    def _end(self, steps: Steps) -> None:
        for _ in steps:
            self.require()
        self.require()

    def _happen(self) -> None:
        (happens,) = self.chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        happens(self)

    def _begin_operator(self) -> None:
        self.running.append(self.operator(self.chance.choice(list(self.keys))))

    def _begin_writer(self) -> None:
        self.running.append(self.writer())

    def _mend_or_break(self) -> None:
        self.mended ^= {self.chance.choice(_KEYS)}

    def _kill(self) -> None:
        self._take()

    def _freeze(self) -> None:
        self.frozen += self._take()

    def _thaw(self) -> None:
        self.running += self.frozen[-1:]
        del self.frozen[-1:]

    def _step(self) -> None:
        for steps in self._take():
            if next(steps, self) is not self:
                self.running.append(steps)

    def _take(self) -> list[Steps]:
        """One of those who run, if anybody does."""
        return [self.running.pop(self.chance.randrange(len(self.running)))] if self.running else []


_WEIGHTS: Final[Mapping[Callable[[World], None], int]] = {
    World._begin_operator: 12,
    World._begin_writer: 12,
    lambda world: world.redis.keep(): 4,
    lambda world: world.redis.lose(): 3,
    World._mend_or_break: 2,
    World._kill: 5,
    World._freeze: 4,
    World._thaw: 2,
    World._step: 56,
}
"""How often each happens, in a hundred."""
