"""Pages of the archive for who is behind the rings: one read for all who stand at the same place."""

import asyncio
from collections import OrderedDict
from typing import Final

from live import archive
from relaycore.live.walk import Page, Read

_MOST_AT_ONCE: Final = 4
"""Reads that are under way in the process."""

_MOST_OF_ONE: Final = 100
"""Pages of the same channels, each of which is looked through by who asks."""

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
        self._shelves: OrderedDict[frozenset[str], _Shelf] = OrderedDict()
        self._used: OrderedDict[Page, _Shelf] = OrderedDict()
        self._size = 0
        self._gate = asyncio.Semaphore(_MOST_AT_ONCE)

    async def find(self, read: Read) -> Page:
        """A page that is of use to who asks, or one that shows that there is none now.

        Raises:
            Disconnected, UnfitServer, PyMongoError, django.db.Error: as `archive.read`.
        """
        shelf = self._shelves.setdefault(read.channels, _Shelf())
        while True:
            for page in shelf.pages:
                if page.serves(read.after):
                    self._used.move_to_end(page)
                    return page
            if shelf.reading is None:
                shelf.reading = task = asyncio.create_task(self._read(shelf, read))
                # Its page is an answer to who has asked for it, whatever is in it.
                return await asyncio.shield(task)
            # What is under way may be of use, and may fail for all who wait.
            await asyncio.shield(shelf.reading)

    def forget(self) -> None:
        """The archive is another one."""
        self._shelves.clear()
        self._used.clear()
        self._size = 0

    async def _read(self, shelf: _Shelf, read: Read) -> Page:
        try:
            async with self._gate:
                page = await asyncio.to_thread(archive.read, read.channels, read.after, read.floor)
        finally:
            shelf.reading = None
        self._keep(shelf, page)
        return page

    def _keep(self, shelf: _Shelf, page: Page) -> None:
        shelf.pages.append(page)
        self._used[page] = shelf
        self._size += _size(page)
        if len(shelf.pages) > _MOST_OF_ONE:
            self._drop(shelf.pages[0])
        while self._size > self._most_bytes and len(self._used) > 1:
            self._drop(next(iter(self._used)))
        if len(self._shelves) > _MOST_SETS:
            for channels in [key for key, one in self._shelves.items() if not (one.pages or one.reading)]:
                del self._shelves[channels]

    def _drop(self, page: Page) -> None:
        self._used.pop(page).pages.remove(page)
        self._size -= _size(page)


def _size(page: Page) -> int:
    # As it was read, and as it is sent.
    return _EMPTY_BYTES + 2 * sum(entry.size for entry in page.entries)
