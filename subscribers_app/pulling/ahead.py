"""What comes above a cursor, as the process's one follower reads it."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Final

from django.db import connection

from leases_app import deployment
from messages_app.searching.feed import Feed
from messages_app.searching.following import Follower
from relaybase.connections import one_per_loop
from relaybase.gathering import Gathering
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import KeyOf, ReadAhead, Wants, is_read
from relaycore.errors import Disconnected
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import archive
from subscribers_app.pulling.resting import resting


@one_per_loop
def follower() -> Follower:
    """The one of this event loop's process."""
    return Follower()


@one_per_loop
def _opening() -> Gathering[int, bool]:
    return Gathering(_require, 1)


async def _require(keys: Sequence[int]) -> dict[int, bool | Exception]:
    await asyncio.to_thread(_require_fitness)
    return dict.fromkeys(keys, True)


def _require_fitness() -> None:
    try:
        deployment.require()
    finally:
        connection.close()


NOT_READ: Final = "Nobody has said in time up to where everything is stored. Try again in a few seconds."


class Source:
    """Of one subscription, in one event loop. Not to be used by two at a time.

    wants: which messages of the channel are for the subscription; None: all
    told:  is called, in the event loop, whenever there may be more
    revision: of the settings that say so
    key_of: their keys; None: there is no order by a field
    """

    def __init__(
        self,
        channel: str,
        wants: Wants | None,
        told: Callable[[], object],
        revision: int = 1,
        key_of: KeyOf | None = None,
    ) -> None:
        self._channel = channel
        self._wants = wants
        self._key_of = key_of
        self._revision = revision
        self._loop = asyncio.get_running_loop()
        self._told = told
        self._feed: Feed | None = None
        self.read: ReadAhead | None = None
        self._turn, self._below = 0, ""  # Of the last page after which there was nothing more.
        self._read_at = ""
        self._has_more = asyncio.Event()
        self._resting = resting()
        self._largest = 0  # Bytes of the largest page so far.

    async def stand(self, cursor: Cursor) -> ReadAhead:
        """Read on from this cursor.

        Raises:
            Disconnected, UnfitServer, django.db.Error: as `Follower.follow`.
        """
        self._resting.work(self)
        if self.read is None or self._feed is None or not self.read.fits(cursor):
            self.close()
            self._feed = await self._follow(cursor.position)
            self.read = ReadAhead(cursor.position, cursor.generation, self._revision)
        return self.read

    async def collect(self, messages: int, size: int) -> None:
        """Take what has been read, until there are so many messages or bytes.

        Raises:
            Disconnected, UnfitServer, pymongo.errors.PyMongoError: as `Feed.take`.
        """
        feed, read = self._feed, self.read
        if feed is None or read is None:
            return
        # It may be closed meanwhile: what was read is let go then.
        while self.read is read and len(read) < messages and read.size < size:
            page = feed.take(0)
            if page is None:
                return
            self._largest = max(self._largest, sum(len(one["message"]) for one in page.messages))
            if self._wants is None and self._key_of is None:
                read.add(page.messages)
            else:
                # A filter may take its time with a large message: not in the event loop.
                await asyncio.to_thread(read.add, page.messages, self._wants, self._key_of)
            self._read_at = max(self._read_at, page.read_at)
            if page.is_at_tail:
                self._turn, self._below = page.turn, page.below

    async def ask(self, seconds: float) -> bool:
        """Until everything that is stored by now has been read, or there is a message; at most so long.

        Whether everything has been read.

        Raises:
            Disconnected: nothing has been read in that time. So nobody knows whether there is something.
        """
        feed, read = self._feed, self.read
        if feed is None or read is None:
            return False
        turn, until, looked = feed.ask(), time.monotonic() + seconds, read.looked
        while True:
            self._has_more.clear()
            await self.collect(1, 1)
            if self.read is not read:
                return False  # It was closed meanwhile.
            if self._turn >= turn or len(read):
                return self._turn >= turn
            try:
                async with asyncio.timeout(until - time.monotonic()):
                    await self._has_more.wait()
            except TimeoutError:
                if self.read is read and read.looked == looked:
                    raise Disconnected(NOT_READ) from None
                return False  # A filter has taken nothing of a long page: he is told up to where.

    def has_read(self, entry: str) -> bool:
        """Whether everything up to this entry has been read, by what was so when it was read last."""
        return is_read(entry, self._below)

    async def expired(self) -> Expired:
        """What was on record as deleted, after what is read ahead was read, never before.

        Raises:
            PyMongoError: MongoDB does not answer.
        """
        now, read = time.monotonic(), self.read
        known = None if read is None else read.expired(now)
        if known is None:
            known = await archive.expired(self._channel, self._read_at)
            if read is not None:
                read.note(known, now)
        return known

    @property
    def held(self) -> int:
        """Bytes of what was read and is not handed out: of pages that wait to be taken they are a guess."""
        waiting = 0 if self._feed is None else self._feed.waiting
        return waiting * self._largest + (0 if self.read is None else self.read.size)

    def rest(self) -> None:
        """Nobody asks for it at this moment: it may be let go, for others."""
        self._resting.rest(self)

    def close(self) -> None:
        """Let go what was read."""
        self._resting.work(self)
        if self._feed is not None:
            self._feed.close()
        self._feed = self.read = None
        self._turn, self._below = 0, ""

    async def _follow(self, position: str) -> Feed:
        reader = follower()
        joined = reader.join(self._channel, position, self._tell)
        if joined is None:
            # A server that stands still holds one thread, and not one for each who asks.
            await _opening().find(0)
            joined = reader.join(self._channel, position, self._tell)
        if joined is None:
            joined = await asyncio.to_thread(self._begin, reader, position)
        return joined

    def _begin(self, reader: Follower, position: str) -> Feed:
        try:
            return reader.follow(self._channel, position, self._tell)
        finally:
            connection.close()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # The event loop has ended.
            self._loop.call_soon_threadsafe(self._come)

    def _come(self) -> None:
        self._resting.note(self)
        self._has_more.set()
        self._told()
