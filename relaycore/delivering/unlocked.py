"""What is decided of a subscription by its row as this process has left it, without locking it first.

It is written only where the row still stands so, in everything that a `Standing` says: then nobody has been
there meanwhile, and what was decided holds as if the row had been locked. Where it does not stand so nothing
is written, and all of it is decided once more, by the row itself.

That row alone can be decided by in this way. What reads or writes others has to lock it (they change only
under its lock), and so has what asks PostgreSQL for the time. What comes to a refusal, or to no change of the
row, is not written, so nobody would learn whether the row still stands so: it is decided under the lock too.
"""

from dataclasses import replace

from relaycore.delivering.giving import Standing


class Left:
    """Rows as they were left, by id; those that were left last, at most so many."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._rows: dict[int, Standing] = {}

    def recall(self, id: int) -> Standing | None:
        """How this row was left; None: that is not known."""
        return self._rows.get(id)

    def leave(self, id: int, standing: Standing) -> None:
        """It stands so from now on: that is committed."""
        self._rows.pop(id, None)
        self._rows[id] = standing
        if len(self._rows) > self._most:
            del self._rows[next(iter(self._rows))]

    def forget(self, id: int) -> None:
        """Somebody else has been there, or nobody knows what was committed."""
        self._rows.pop(id, None)


def may_be_written(seen: Standing, then: Standing) -> bool:
    """Whether this change is one of the row alone, and so is held by the row: the cursor moves, no more."""
    return then.cursor != seen.cursor and replace(then, cursor=seen.cursor) == seen
