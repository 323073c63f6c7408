"""What a client says of messages that it was given: by itself, or with the `fetch` that asks for more.

It is the same either way: what is said holds first, and then it is fetched, as if by two calls between which
nobody has come. If it is refused nothing is fetched. It shares the transaction of the fetch, unless that has
to wait, or cannot read: then it has one of its own, before. Said once, it is not said again when the fetch
looks once more.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.settling import Change, meant, settle
from relaycore.delivering.tokens import Token
from relaycore.errors import CursorMoved
from subscribers_app.pulling import ledger
from subscribers_app.pulling.clerk import Entry, Work

Then = Callable[[Any], object]

_NO_TOKENS: Final[Sequence[bool]] = ()


class Said:
    """Of one request. `then` is called with the answer, once that is committed."""

    def __init__(self, work: Work[Any], then: Then) -> None:
        self._work = work
        self._then = then
        self.holds = False

    def say(self, entry: Entry) -> Any:
        """In a transaction: what it comes to. None: under these settings it says nothing.

        Raises:
            CursorMoved: it is refused.
        """
        return None if self.holds else self._work(entry)

    def hold(self, answer: Any) -> bool:
        """It is committed. Whether others may have been waiting for that."""
        self.holds = True
        self._then(answer)
        return not isinstance(answer, Cursor) and any(answer)

    def foresee(self, cursor: Cursor) -> Cursor:
        """Where the cursor will stand, as far as this process knows."""
        return cursor


class Commit(Said):
    """Everything up to a position is done. Mode `cursor`. The answer is the cursor."""

    def __init__(self, position: str, generation: int | None, then: Then) -> None:
        super().__init__(self._commit, then)
        self._position, self._generation = position, generation

    def foresee(self, cursor: Cursor) -> Cursor:
        """As `Said`. It decides only what is read."""
        try:
            return cursor if self.holds else cursor.commit(self._position, self._generation)
        except CursorMoved:
            return cursor

    def _commit(self, entry: Entry) -> Cursor:
        entry.cursor = entry.cursor.commit(self._position, self._generation)
        return entry.cursor


class Settle(Said):
    """What becomes of leased messages. The answer says of each token whether it was in time.

    revision: of the settings that `changes` are made by
    changes:  one after another, each of these tokens
    """

    def __init__(self, revision: int, changes: Sequence[tuple[Sequence[Token], Change]], then: Then) -> None:
        super().__init__(self._settle, then)
        self._revision, self._changes = revision, changes

    def _settle(self, entry: Entry) -> Sequence[bool] | None:
        if entry.revision != self._revision:
            return None
        return [one for tokens, change in self._changes for one in _settle(entry, tokens, change)]


def _settle(entry: Entry, tokens: Sequence[Token], change: Change) -> Sequence[bool]:
    if not tokens:
        return _NO_TOKENS
    rows = ledger.find(entry.sql, entry.id, meant(entry.cursor, tokens))
    settled = settle(entry.cursor, tokens, rows, change, entry.now)
    if settled.done:
        ledger.delete(entry.sql, entry.id, settled.done)
    if settled.changed:
        ledger.update(entry.sql, entry.id, settled.changed)
    return settled.in_time
