"""What a client says of what it was given, by itself or with a fetch: `subscribers_app.pulling.saying`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from relaycore.delivering import settling
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.settling import Change
from relaycore.errors import CursorMoved

from .ledger import Entry
from .watch import Given, Reader, Watch


@dataclass
class Said:
    """Of one request. It holds once, whatever else the request does.

    work:    in a transaction; what it comes to
    foresee: where the cursor will stand, as far as a process knows
    """

    work: Callable[[Entry], Any]
    foresee: Callable[[Cursor], Cursor] = lambda cursor: cursor
    answer: Any = None
    holds: bool = False

    def say(self, entry: Entry) -> Any:
        return self.answer if self.holds else self.work(entry)

    def anew(self) -> "Said":
        """With another request."""
        return Said(self.work, self.foresee)

    def hold(self, answer: Any) -> None:
        self.answer, self.holds = answer, True


def commit(watch: Watch, reader: Reader, position: str, generation: int) -> Said:
    def work(entry: Entry) -> None:
        entry.cursor = entry.cursor.commit(position, generation)
        entry.after.append(lambda: watch.committed(reader, position, generation))

    def foresee(cursor: Cursor) -> Cursor:
        try:
            return cursor.commit(position, generation)
        except CursorMoved:
            return cursor

    return Said(work, foresee)


def settle(watch: Watch, reader: Reader, what: str, given: Given, change: Change) -> Said:
    """`what`: ack, nack or extend. The answer: whether it was in time."""

    def work(entry: Entry) -> bool:
        tokens = [given.token]
        rows = entry.find(settling.meant(entry.cursor, tokens))
        settled = settling.settle(entry.cursor, tokens, rows, change, entry.now)
        entry.delete(settled.done)
        entry.update(settled.changed)
        (in_time,) = settled.in_time
        row = settled.changed[0] if settled.changed else None
        entry.after.append(lambda: watch.settled(reader, what, given, row, in_time=in_time))
        return in_time

    return Said(work)
