"""PostgreSQL, played: rows, their locks, transactions, its clock. What it has committed it keeps.

Reads see what is committed (READ COMMITTED). A transaction whose client is dead, or does nothing for
`IDLE_SECONDS`, is rolled back, with its locks.
"""

import itertools
from collections.abc import Generator
from dataclasses import dataclass
from typing import Final

from relaycore.receiving.states import State

START_MS: Final = 1_700_000_000_000
IDLE_SECONDS: Final = 10

Steps = Generator[None, None, None]


class Away(Exception):
    """It does not answer: what was asked is done, or not."""


@dataclass(frozen=True)
class Row:
    """Of one alert."""

    state: State
    updated: int


class Postgres:
    """now: seconds, by which its patience is measured; its clock may be set."""

    def __init__(self) -> None:
        self.now = 0
        self.ahead = 0
        self.is_away = False
        self.rows: dict[str, Row] = {}
        self.waiting: dict[int, str] = {}
        self.locks: dict[str, Transaction] = {}
        self.open: list[Transaction] = []
        self.ids = itertools.count(1)

    @property
    def clock(self) -> int:
        """In ms since 1970."""
        return START_MS + self.now * 1000 + self.ahead

    def ask(self) -> None:
        """Whatever is asked fails while it is away."""
        if self.is_away:
            raise Away

    def begin(self) -> "Transaction":
        self.ask()
        self.open.append(Transaction(self))
        return self.open[-1]

    def tick(self) -> None:
        for one in list(self.open):
            if self.now - one.used_at > IDLE_SECONDS:
                one.roll_back()

    def go_away(self) -> None:
        """It is killed: what is not committed is gone."""
        self.is_away = True
        for one in list(self.open):
            one.roll_back()


class Transaction:
    """Of one client."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres
        self.used_at = postgres.now
        self.is_over = self.is_committed = False
        self._rows: dict[str, Row | None] = {}
        self._told: dict[int, str] = {}
        self._deleted: list[int] = []

    def use(self) -> None:
        if self.is_over:
            raise Away
        self._postgres.ask()
        self.used_at = self._postgres.now

    def lock(self, key: str) -> Steps:
        while self._postgres.locks.get(key, self) is not self:
            self.use()
            yield
        self.use()
        self._postgres.locks[key] = self

    def lock_at_once(self, key: str) -> bool:
        """SKIP LOCKED."""
        self.use()
        return self._postgres.locks.setdefault(key, self) is self

    def row(self, key: str) -> Row | None:
        self.use()
        return self._rows[key] if key in self._rows else self._postgres.rows.get(key)

    def write(self, key: str, row: Row | None) -> None:
        self.use()
        self._rows[key] = row

    def note(self, message: str) -> None:
        """Numbers are given before it is known who commits first."""
        self.use()
        self._told[next(self._postgres.ids)] = message

    def delete(self, id: int) -> None:
        self.use()
        self._deleted.append(id)

    def commit(self) -> None:
        self.use()
        for key, row in self._rows.items():
            if row is None:
                self._postgres.rows.pop(key, None)
            else:
                self._postgres.rows[key] = row
        self._postgres.waiting.update(self._told)
        for id in self._deleted:
            self._postgres.waiting.pop(id, None)
        self.is_committed = True
        self._end()

    def roll_back(self) -> None:
        if not self.is_over:
            self._end()

    def _end(self) -> None:
        self.is_over = True
        self._postgres.open.remove(self)
        self._postgres.locks = {k: one for k, one in self._postgres.locks.items() if one is not self}
