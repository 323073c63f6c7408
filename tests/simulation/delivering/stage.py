"""What all play on who are handed a channel's messages: the channel, the tables, time, retention, operators.

Whoever hands out, or sends, is added to it: a stage says when its turn is.
"""

import copy
import random
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, Final, Generic, Protocol, TypeVar

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import Wants
from relaycore.delivering.settings import Settings
from relaycore.delivering.skipping import Noted

from .channel import Channel, Document
from .clients import Operators
from .ledger import Entry, Ledger

STEP_MS: Final = 60
HOUR_MS: Final = 3_600_000


def is_for_it(document: Document) -> bool:
    """A filter."""
    return bool(document["number"] % 3)


def is_odd(document: Document) -> bool:
    """Another one."""
    return bool(document["number"] % 2)


FILTERS: Final = (None, is_for_it, is_odd)


class Subscribed(Protocol):
    """A subscription as it is set."""

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Settings | None: ...

    @property
    def wants(self) -> Wants | None: ...


R = TypeVar("R", bound=Subscribed)
R_contra = TypeVar("R_contra", bound=Subscribed, contravariant=True)


class Watching(Protocol[R_contra]):
    """Keeps beside the product what is owed."""

    books: dict[str, Any]
    broken: set[tuple[int, str]]

    def appended(self, positions: Sequence[str]) -> None: ...

    def sought(self, reader: R_contra, entry: Entry) -> None: ...

    def chosen_anew(self, reader: R_contra, entry: Entry) -> None: ...

    def made_anew(self, reader: R_contra, entry: Entry) -> None: ...

    def redriven(self, reader: R_contra, positions: Sequence[str]) -> None: ...

    def let_go(self, reader: R_contra, positions: Sequence[str]) -> None: ...

    def require_all_done(self) -> None: ...


class Stage(ABC, Generic[R]):
    """What a schedule of operations plays on. Two of the readers, by the seed, or those that are named."""

    watch: Watching[R]

    def __init__(self, seed: int, readers: Sequence[R], names: Sequence[str]) -> None:
        self.random = random.Random(seed)
        self.time = 1_700_000_000_000
        self.channel = Channel(self.random)
        self.ledger = Ledger(self.random)
        self.ledger.time = self.time
        self.watch = self._watching()
        self.readers = [one for one in readers if one.name in names] or self.random.sample(readers, 2)
        for reader in self.readers:
            self.watch.books[reader.name] = self._book(reader)
            self.ledger.entries[reader.name] = Entry(Cursor(), Noted(), wants=reader.wants)
        self.operators = Operators(self)
        self._retention: Iterator[None] | None = None
        self._others: list[Iterator[None]] = []

    def reader(self, chance: int) -> R:
        return self.readers[chance % len(self.readers)]

    # --- who plays --------------------------------------------------------------------------

    @abstractmethod
    def _watching(self) -> Watching[R]:
        """Who watches."""

    @abstractmethod
    def _book(self, reader: R) -> object:
        """What it keeps of a reader."""

    @abstractmethod
    def _before(self) -> None:
        """Once something may have been stored, and before operators have their turn."""

    @abstractmethod
    def _after(self) -> None:
        """Once they had it."""

    # --- what goes on -----------------------------------------------------------------------

    def run(self, steps: int, step_ms: int = STEP_MS) -> None:
        for _ in range(steps):
            self.time += step_ms
            self.ledger.time = self.time
            if self.random.random() < 0.6:
                self.channel.store()
            self._before()
            if self._retention is not None and next(self._retention, self) is self:
                self._retention = None
            self._others = [one for one in self._others if next(one, self) is not self]
            self._after()

    def append(self, messages: int) -> None:
        self.watch.appended(self.channel.append(messages, self.time))

    # --- faults -----------------------------------------------------------------------------

    def retain(self, messages: int) -> None:
        """Or whoever deletes dies, if somebody does, and the next one goes on."""
        self._retention = self.channel.retain(messages)

    def forget_watermark(self) -> None:
        self.channel.forget_watermark()

    def jump(self, milliseconds: int) -> None:
        """PostgreSQL's clock, alone."""
        self.ledger.clock_offset += milliseconds

    # --- what operators do ------------------------------------------------------------------

    def seek(self, which: int, chance: int) -> None:
        self._others.append(self.operators.seek(self.reader(which), chance))

    def choose_anew(self, which: int, chance: int) -> None:
        """Another filter."""
        self._others.append(self.operators.choose_anew(self.reader(which), FILTERS[chance % len(FILTERS)]))

    def make_anew(self, which: int, chance: int) -> None:
        """Delete it, and make one of its name."""
        self._others.append(self.operators.make_anew(self.reader(which), chance))

    def redrive(self, which: int) -> None:
        self._others.append(self.operators.redrive(self.reader(which)))

    def drop(self, which: int, chance: int) -> None:
        self._others.append(self.operators.drop(self.reader(which), chance))

    def skip(self, which: int, chance: int) -> None:
        self._others.append(self.operators.skip(self.reader(which), chance))

    def pause(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=False)

    def resume(self, which: int) -> None:
        self.operators.pause(self.reader(which), is_active=True)

    # --- the end ------------------------------------------------------------------------------

    def calm(self) -> None:
        """Nothing goes wrong any more: servers answer, all is stored, nobody is paused."""
        self.ledger.has_faults = False
        for reader in self.readers:
            self.operators.pause(reader, is_active=True)
        while self.channel.late:
            self.channel.store()
        self.channel.rise()

    def is_done(self) -> bool:
        """Whether there is nothing left to do."""
        probe = copy.copy(self.watch)
        probe.broken = set()
        probe.require_all_done()
        return not probe.broken

    @property
    def broken(self) -> set[tuple[int, str]]:
        return self.watch.broken
