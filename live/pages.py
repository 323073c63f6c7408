"""Pages of the archive for who is behind the rings: one read for all who stand at the same place."""

import asyncio
import logging
import time
from typing import Final

from live import archive
from relaycore.errors import one_line
from relaycore.live.walk import Page, Read

log = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 4
"""Reads that are under way in the process."""

_MOST_OF_ONE: Final = 100
"""Pages of the same channels, each of which is looked through by who asks."""

KEEP_SECONDS: Final = 15.0
"""A herd that comes again comes within so long."""

_EMPTY_BYTES: Final = 1000

_MOST_SETS: Final = 1000
"""Of channels that were asked for together, and of which nothing is kept any more."""


class _Shelf:
    """The pages of channels that are asked for together."""

    def __init__(self) -> None:
        self.pages: list[Page] = []
        self.reading: asyncio.Task[Page] | None = None


class Pages:
    """Of one event loop. `most_bytes`: so much is kept of what was read."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._shelves: dict[frozenset[str], _Shelf] = {}
        self._kept: dict[Page, tuple[_Shelf, float]] = {}
        """With the instant from which on it is kept; those of before come first."""
        self.size = 0
        """Bytes that are kept, about."""
        self.trouble = ""
        """Why the archive is not read, since it was read last; empty: nothing speaks against it."""
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)

    async def find(self, read: Read) -> Page:
        """A page that is of use to who asks, or one that shows that there is none now.

        Raises:
            Disconnected, UnfitServer, PyMongoError, django.db.Error: as `archive.read`.
        """
        self.let_go()
        shelf = self._shelves.setdefault(read.channels, _Shelf())
        while True:
            for page in shelf.pages:
                if page.serves(read.after):
                    return page
            if shelf.reading is None:
                shelf.reading = task = asyncio.create_task(self._read(shelf, read))
                # Its page is an answer to who has asked for it, whatever is in it.
                return await asyncio.shield(task)
            # What is under way may be of use, and may fail for all who wait.
            page = await asyncio.shield(shelf.reading)
            if page.shows_nothing(read.after):
                return page

    def forget(self) -> None:
        """The archive is another one."""
        self._shelves.clear()
        self._kept.clear()
        self.size = 0

    def let_go(self) -> None:
        """What was kept for long enough: what retention deletes is not shown for longer than that."""
        before = time.monotonic() - KEEP_SECONDS
        while self._kept:
            page, (_, kept_at) = next(iter(self._kept.items()))
            if kept_at > before:
                return
            self._drop(page)

    async def _read(self, shelf: _Shelf, read: Read) -> Page:
        try:
            async with self._gate:
                page = await asyncio.to_thread(archive.read, read.channels, read.after, read.floor)
        except Exception as exc:
            self._say(exc)
            raise
        finally:
            shelf.reading = None
        self.trouble = ""
        self._keep(shelf, page)
        return page

    def _say(self, exc: Exception) -> None:
        """Once, until something is read again."""
        if not self.trouble:
            log.warning("live: the archive is not read: %s", one_line(exc))
        self.trouble = one_line(exc)

    def _keep(self, shelf: _Shelf, page: Page) -> None:
        shelf.pages.append(page)
        self._kept[page] = shelf, time.monotonic()
        self.size += _size(page)
        if len(shelf.pages) > _MOST_OF_ONE:
            self._drop(shelf.pages[0])
        while self.size > self._most_bytes and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        if len(self._shelves) > _MOST_SETS:
            for channels in [key for key, one in self._shelves.items() if not (one.pages or one.reading)]:
                del self._shelves[channels]

    def _drop(self, page: Page) -> None:
        self._kept.pop(page)[0].pages.remove(page)
        self.size -= _size(page)


def _size(page: Page) -> int:
    # As it was read, and as it is sent.
    return _EMPTY_BYTES + 2 * sum(entry.size for entry in page.entries)
