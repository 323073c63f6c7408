"""What is asked of a subscription's row, and the row as whoever is asked has it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from django.db.backends.utils import CursorWrapper

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Standing
from relaycore.delivering.skipping import Noted

ALL: Final = 0
"""In place of an id: the work is about many, and locks none."""

Answer = TypeVar("Answer")


class NotLocked(Exception):
    """What is asked cannot be said of a row that is not locked."""


class Entry:
    """A subscription, as it stands within the transaction; or, without `locked`, as it was left before.

    locked: what to read and write rows by, and PostgreSQL's clock, ms since 1970
    """

    def __init__(self, id: int, standing: Standing, locked: tuple[CursorWrapper, int] | None = None) -> None:
        self.id = id
        self.cursor: Cursor = standing.cursor
        self.noted: Noted = standing.noted
        self.is_active = standing.is_active
        self.revision = standing.revision
        self.was_fetched = False
        self._locked = locked

    @property
    def sql(self) -> CursorWrapper:
        """To read and write rows by.

        Raises:
            NotLocked: it is not.
        """
        if self._locked is None:
            raise NotLocked
        return self._locked[0]

    @property
    def now(self) -> int:
        """PostgreSQL's clock. Raises as `sql`."""
        if self._locked is None:
            raise NotLocked
        return self._locked[1]

    @property
    def standing(self) -> Standing:
        """The row as it is to be written."""
        return Standing(self.cursor, self.noted, self.is_active, self.revision)


Work = Callable[[Entry], Answer]


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody waits for. The work of `ALL` is given a `CursorWrapper`, and else an `Entry`."""

    id: int
    work: Callable[[Any], Any]
    future: "asyncio.Future[Any]"
