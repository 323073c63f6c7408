"""One subscription, as it is handed out by this process.

`fetch` is answered in the order in which it is asked: who waits first is given first. The others do not wait
for each other but in the clerk's transactions.
"""

import asyncio
import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Handed, Outdated, Standing, Unread, fetch, lease_next
from relaycore.delivering.leasing import Ahead
from relaycore.delivering.reading import Document
from relaycore.delivering.settings import CURSOR
from relaycore.delivering.settling import Change, meant, settle
from relaycore.delivering.tokens import Token
from relaycore.errors import NotGiven
from relaycore.position import first_of
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import archive, ledger
from subscribers_app.pulling.ahead import Source
from subscribers_app.pulling.asked import NOBODYS, Given, SettingsOutdated, Wanted
from subscribers_app.pulling.clerk import Entry, clerk
from subscribers_app.pulling.counting import counted
from subscribers_app.pulling.room import NO_ROOM
from subscribers_app.pulling.writing import write
from subscribers_app.remembering import KnownSubscription

_LEAST_PATIENCE_SECONDS: Final = 0.5
"""Whoever does not want to wait for messages waits so long for those who are before him."""

_RIPEN_SECONDS: Final = 0.5
"""What ripens wakes nobody, and neither does room."""

_BUSY_PATIENCE_SECONDS: Final = 5.0
"""And so long if they are being answered just now, and do not wait: then there may be something."""

_LOOK_SECONDS: Final = 5.0
"""So long he waits until somebody has looked."""


@dataclass(frozen=True, slots=True)
class _Page:
    """What was read ahead, and what was on record as deleted after that."""

    ahead: Ahead
    documents: Sequence[Document]
    expired: Expired
    is_short: bool


class Desk:
    """Of one event loop, as long as the subscription is set to this."""

    def __init__(self, known: KnownSubscription, wants: Callable[[Document], bool] | None) -> None:
        self.known = known
        self.used_at = time.monotonic()
        self.counted = counted(known.id)
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._source = Source(known.channel, wants, self._woken.set, known.revision)
        self._cursor: Cursor | None = None
        self._is_active = known.is_active
        self._is_full = self._is_idle = self._is_short = False
        self._ahead_ms = 0.0
        """How far PostgreSQL's clock is ahead of the monotonic one."""
        self._is_closed = False

    @property
    def is_waited_at(self) -> bool:
        """Whether somebody is being answered, or waits."""
        return self._turn.locked()

    def notice(self, glance: ledger.Glance) -> None:
        """What PostgreSQL says of it, by the way."""
        # Where too much was on its way somebody else may have settled some of it.
        if (
            self._is_full
            or glance.is_due
            or (glance.cursor, glance.is_active) != (self._cursor, self._is_active)
            or glance.revision != self.known.revision
        ):
            self.wake()

    def wake(self) -> None:
        """There may be something for who waits."""
        self._woken.set()

    def close(self) -> None:
        """It is set to something else by now, or nobody asks: who waits is answered."""
        self._is_closed = True
        self._woken.set()
        if not self._turn.locked():
            self._source.close()

    async def fetch(self, wanted: Wanted) -> Given:
        """Messages, as soon as there are any; none if none come within the time.

        Raises:
            Disconnected, UnfitServer, django.db.Error, PyMongoError: a server does not answer.
            SubscriptionUnknown: it was deleted.
            SettingsOutdated: it is set to something else by now. Ask the desk for that.
            NotGiven: there is something, and all the time there was no room for the answer.
        """
        self.used_at = time.monotonic()
        until = self.used_at + wanted.seconds
        least = _LEAST_PATIENCE_SECONDS if self._is_idle else _BUSY_PATIENCE_SECONDS
        patience = max(wanted.seconds, least)
        gone: asyncio.Future[Any] = asyncio.ensure_future(wanted.until_gone())
        try:
            try:
                if self._turn.locked():
                    async with asyncio.timeout(patience):
                        await self._turn.acquire()
                else:
                    await self._turn.acquire()
            except TimeoutError:
                if self._is_short:
                    raise NotGiven(NO_ROOM) from None
                cursor = self._cursor or await self._look()
                return Given(cursor.position, cursor.generation, is_active=self._is_active)
            # From here on it ends by itself: what is leased is answered.
            try:
                return await self._wait(wanted, until, gone)
            finally:
                self._is_short = False
                self._turn.release()
                if self._is_closed and not self._turn.locked():
                    self._source.close()
        finally:
            gone.cancel()

    async def commit(self, position: str, generation: int | None) -> Cursor:
        """Everything up to here is done. Mode `cursor`.

        Raises:
            CursorMoved: see `Cursor.commit`.
        """

        def work(entry: Entry) -> Cursor:
            entry.cursor = entry.cursor.commit(position, generation)
            return entry.cursor

        self._cursor = await clerk().ask(self.known.id, work)
        return self._cursor

    async def settle(self, tokens: Sequence[Token], change: Change) -> Sequence[bool]:
        """Change what these tokens stand for; of each, whether it was in time.

        Raises:
            SettingsOutdated: as `fetch`.
        """

        def work(entry: Entry) -> Sequence[bool] | None:
            if entry.revision != self.known.revision:
                return None
            rows = ledger.find(entry.sql, entry.id, meant(entry.cursor, tokens))
            settled = settle(entry.cursor, tokens, rows, change, entry.now)
            if settled.done:
                ledger.delete(entry.sql, entry.id, settled.done)
            if settled.changed:
                ledger.update(entry.sql, entry.id, settled.changed)
            return settled.in_time

        answers = await clerk().ask(self.known.id, work)
        if answers is None:
            raise SettingsOutdated
        if any(answers):
            self.wake()  # There is room, or something is due.
        return answers

    # --- fetching ------------------------------------------------------------------------

    async def _wait(self, wanted: Wanted, until: float, gone: "asyncio.Future[Any]") -> Given:
        """Try, and wait, and try again."""
        while not gone.done():
            self._woken.clear()
            given = await self._try(wanted, gone)
            is_empty = not (given.messages or given.skipped or given.is_short)
            if is_empty and not wanted.seconds and given.is_active:
                # Whoever does not wait is given at least what was stored before he asked.
                given = await self._try(wanted, gone, is_to_ask=True)
            self._is_short, left = given.is_short, until - time.monotonic()
            if given.is_short and not given.skipped and left <= 0:
                raise NotGiven(NO_ROOM)
            if given.messages or given.skipped or left <= 0 or gone.done() or self._is_closed:
                return given
            woken: asyncio.Future[Any] = asyncio.ensure_future(self._woken.wait())
            patience = min(left, _RIPEN_SECONDS) if self.known.delay_ms or given.is_short else left
            self._is_idle = True
            try:
                await asyncio.wait({woken, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._is_idle = False
                woken.cancel()
        return NOBODYS

    async def _try(self, wanted: Wanted, gone: "asyncio.Future[Any]", *, is_to_ask: bool = False) -> Given:
        """What there is now. `is_to_ask`: after a look at what is stored by now."""
        try:
            cursor = self._cursor or await self._look()
            while True:
                read = await self._source.stand(cursor)
                if is_to_ask:
                    await self._source.ask(_LOOK_SECONDS)
                await self._source.collect(wanted.most, wanted.most_bytes)
                ripe, is_leased = self._ripe_before(), self.known.mode != CURSOR
                ahead, documents = read.ahead(wanted.most, wanted.most_bytes, ripe, is_leased=is_leased)
                fitting = wanted.place.take(documents)
                is_short = fitting == 0 < len(documents)
                if fitting < len(documents):
                    ahead, documents = read.ahead(fitting, wanted.most_bytes, ripe, is_leased=is_leased)
                page = _Page(ahead, documents, await self._source.expired(), is_short)
                given = await self._give(page, wanted, gone)
                if given is None or not given.messages:
                    wanted.place.give_back()
                if given is not None:
                    return given
                cursor = self._cursor or await self._look()
        except BaseException:
            # What holds is not known, or what was read cannot be gone on with.
            self._cursor = None
            self._source.close()
            raise

    async def _look(self) -> Cursor:
        cursor, now = await clerk().ask(self.known.id, lambda entry: (entry.cursor, entry.now))
        self._ahead_ms = now - time.monotonic() * 1000
        return cursor

    async def _give(self, page: _Page, wanted: Wanted, gone: "asyncio.Future[Any]") -> Given | None:
        """None: the cursor is elsewhere; `_cursor` is where."""
        ahead, settings, most, is_short = page.ahead, self.known.settings, wanted.most, page.is_short
        read: dict[bytes, Document | None] = {}

        def work(entry: Entry) -> tuple[Handed | Unread | Outdated | Given | None, Cursor]:
            if gone.done():
                return NOBODYS, entry.cursor
            standing = Standing(entry.cursor, entry.noted, entry.is_active, entry.revision)
            handed: Handed | Unread | Outdated | None
            if self.known.mode == CURSOR:
                handed = fetch(standing, ahead, page.expired)
            else:
                find = functools.partial(ledger.rows, entry.sql, entry.id, entry.now, most)
                is_there = {id: document is not None for id, document in read.items()}
                handed = lease_next(standing, settings, find, ahead, most, entry.now, page.expired, is_there)
            if isinstance(handed, Handed):
                write(entry, handed)
            return handed, entry.cursor

        while True:
            handed, self._cursor = await clerk().ask(self.known.id, work)
            if isinstance(handed, Handed):
                return self._given(handed, page, read, is_short=is_short)
            if isinstance(handed, Outdated):
                raise SettingsOutdated
            if not isinstance(handed, Unread):
                return handed
            # Before they are leased: what MongoDB does not say costs no attempt.
            ids = [row.id for row in handed.rows]
            found = await archive.find(self.known.channel, ids, wanted.most_bytes)
            read |= found
            fitting, is_all = wanted.place.take_first(list(found.values()))
            ahead = ahead if is_all else replace(ahead, upto=ahead.above, messages=())
            is_short = is_short or not is_all
            if fitting < len(ids):
                most = fitting  # More would be too many bytes.

    def _given(
        self, handed: Handed, page: _Page, read: Mapping[bytes, Document | None], *, is_short: bool
    ) -> Given:
        at, self._is_active = handed.cursor, handed.is_active
        self._is_full = handed.leased is not None and handed.leased.is_full
        if not handed.is_active:
            return Given(at.position, at.generation, is_active=False)
        if handed.leased is None:
            upto, generation = page.ahead.upto, page.ahead.generation
            return Given(upto, generation, page.documents, skipped=handed.missed, is_short=is_short)
        if handed.lost:
            self.wake()  # There may be more.
        by_position = {document["position"]: document for document in page.documents}
        by_position |= {document["position"]: document for document in read.values() if document is not None}
        deliveries = {one.position: one for one in (*handed.leased.again, *handed.leased.new)}
        messages = [by_position[position] for position in sorted(deliveries)]
        is_short = is_short and not messages and not self._is_full
        return Given(at.position, at.generation, messages, deliveries, handed.missed, is_short=is_short)

    def _ripe_before(self) -> str | None:
        """With a delay: what stands here or above is not handed out yet."""
        if not self.known.delay_ms:
            return None
        now = int(time.monotonic() * 1000 + self._ahead_ms)
        return first_of(f"{max(0, now - self.known.delay_ms)}-0")
