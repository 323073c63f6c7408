"""One subscriber of the follower: what it is handed, and takes."""

import queue
from collections.abc import Callable, Sequence
from typing import Protocol, Self

from relaycore.following.places import Cursor, Page

Told = Callable[[], object]
"""Is called whenever there is something to take, in the thread of the reader, and under its lock."""


class Hands(Protocol):
    """Who hands out: the reader of one partition."""

    def make_room(self, cursor: Cursor) -> None:
        """It has taken a page."""

    def ask(self, cursor: Cursor) -> int:
        """It wants to know what is stored by now."""

    def leave(self, cursor: Cursor) -> None:
        """It wants nothing any more."""

    def handed(self, feeds: "Sequence[Feed]") -> list[tuple[str, int]]:
        """Of each, all at one instant: below this nothing comes, but so much is there to be taken."""


class Feed:
    """One subscriber. `take` may be called by one thread at a time."""

    def __init__(self, reader: "Hands", cursor: Cursor, told: Told | None = None) -> None:
        self.reader = reader
        self.cursor = cursor
        self._told = told
        self._box: queue.SimpleQueue[Page | Exception] = queue.SimpleQueue()
        self._has_failed = False

    def take(self, seconds: float) -> Page | None:
        """The next page; None if none comes within so many seconds.

        Raises:
            Disconnected: nobody knows up to where everything is stored, so nothing is read.
            UnfitServer: everything is divided otherwise by now. This feed is of no use any more.
            pymongo.errors.PyMongoError: MongoDB cannot answer.
        """
        try:
            found = self._box.get(timeout=seconds)
        except queue.Empty:
            return None
        if isinstance(found, Exception):
            self._has_failed = False
            raise found
        self.reader.make_room(self.cursor)
        return found

    @property
    def waiting(self) -> int:
        """So many pages and errors are there to be taken."""
        return self._box.qsize()

    def ask(self) -> int:
        """Have it looked now: all that is stored by now says a page at the tail, of this turn or later."""
        return self.reader.ask(self.cursor)

    def fail(self, error: Exception) -> None:
        """Tell the subscriber, once for each time that it asks. For the reader."""
        if not self._has_failed:
            self._has_failed = True
            self.put(error)

    def put(self, found: Page | Exception) -> None:
        """Hand it out. For the reader."""
        self._box.put(found)
        if self._told is not None:
            self._told()

    def close(self) -> None:
        """It wants nothing any more."""
        self.reader.leave(self.cursor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def handed(feeds: Sequence[Feed]) -> dict[Feed, tuple[str, int]]:
    """Of each, those of one partition at one instant: as `Reader.handed`."""
    readers: dict[Hands, list[Feed]] = {}
    for feed in feeds:
        readers.setdefault(feed.reader, []).append(feed)
    return {
        feed: said
        for reader, its in readers.items()
        for feed, said in zip(its, reader.handed(its), strict=True)
    }
