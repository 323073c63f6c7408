"""One subscription, as it is handed out by this process.

`fetch` is answered in the order in which it is asked: who waits first is given first. The others do not wait
for each other but in the clerk's transactions.
"""

import asyncio
import time
from dataclasses import replace
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.giving import Handed, Outdated, Unread
from relaycore.delivering.settings import CURSOR
from relaycore.errors import NotGiven
from relaycore.position import at_millisecond
from subscribers_app.pulling import ledger
from subscribers_app.pulling.again import Again, Page, Unplaced
from subscribers_app.pulling.ahead import Source
from subscribers_app.pulling.asked import NOBODYS, Given, Leaving, SettingsOutdated, Wanted
from subscribers_app.pulling.choosing import Choosing
from subscribers_app.pulling.clerk import Entry, clerk
from subscribers_app.pulling.counting import counted
from subscribers_app.pulling.room import NO_ROOM
from subscribers_app.pulling.saying import Said
from subscribers_app.pulling.writing import hand_out
from subscribers_app.remembering import KnownSubscription

_LEAST_PATIENCE_SECONDS: Final = 0.5
"""Whoever does not want to wait for messages waits so long for those who are before him."""

_RIPEN_SECONDS: Final = 0.5
"""What ripens wakes nobody, and neither does room."""

_SPAN: Final = 200
"""In an order by a field so many messages are looked at: those that wait are not handed out."""

_PASSING_SECONDS: Final = 2.0
"""So long nothing but what waits is passed, for one who asks."""

_BUSY_PATIENCE_SECONDS: Final = 5.0
"""And so long if they are being answered just now, and do not wait: then there may be something."""

_LOOK_SECONDS: Final = 5.0
"""So long he waits until somebody has looked."""


class Desk:
    """Of one event loop, as long as the subscription is set to this."""

    def __init__(self, known: KnownSubscription, choosing: Choosing) -> None:
        self.known = known
        self._choosing = choosing
        self.used_at = time.monotonic()
        self.counted = counted(known.id)
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._source = Source(known.channel, choosing.wants, self._woken.set, known.revision, choosing.key_of)
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

    async def fetch(self, wanted: Wanted, said: Said | None = None) -> Given:
        """Messages, as soon as there are any; none if none come within the time.

        said: what holds first, whether any come or not

        Raises:
            Disconnected, UnfitServer, django.db.Error, PyMongoError: a server does not answer.
            SubscriptionUnknown: it was deleted.
            SettingsOutdated: it is set to something else by now. Ask the desk for that.
            CursorMoved: what is said is refused, and nothing is given.
            NotGiven: what is said holds. There is something, and all the time there was no room for it.
        """
        self.used_at = time.monotonic()
        until, was_active = self.used_at + wanted.seconds, self._is_active
        least = _LEAST_PATIENCE_SECONDS if self._is_idle else _BUSY_PATIENCE_SECONDS
        patience = max(wanted.seconds, least)
        leaving = Leaving(wanted)
        try:
            try:
                if self._turn.locked():
                    await self.say(said)  # It does not wait for those who are before him.
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
                return await self._wait(wanted, said, until, leaving, was_active)
            finally:
                self._is_short = False
                self._turn.release()
                if not self._turn.locked():
                    (self._source.close if self._is_closed else self._source.rest)()
        finally:
            leaving.close()

    async def say(self, said: Said | None) -> None:
        """Have this hold, unless it does already.

        Raises:
            CursorMoved: see `Cursor.commit`.
            Disconnected, SubscriptionUnknown, SettingsOutdated: as `fetch`.
        """
        if said is None or said.holds:
            return
        answer, self._cursor = await clerk().ask(self.known.id, lambda entry: (said.say(entry), entry.cursor))
        self._hear(said, answer)

    def _hear(self, said: Said | None, answer: Any) -> None:
        """What is said has been committed, with this answer."""
        if said is None or said.holds:
            return
        if answer is None:
            raise SettingsOutdated
        if said.hold(answer):
            self.wake()  # There is room, or something is due.

    # --- fetching ------------------------------------------------------------------------

    async def _wait(
        self, wanted: Wanted, said: Said | None, until: float, leaving: Leaving, was_active: bool
    ) -> Given:
        """Try, and wait, and try again; until it is paused. Who asked while it was waits for it to go on."""
        while not leaving.has_gone():
            self._woken.clear()
            given = await self._try(wanted, said, leaving)
            is_empty = not (given.messages or given.skipped or given.is_short)
            if is_empty and not wanted.seconds and given.is_active:
                # Whoever does not wait is given at least what was stored before he asked.
                given = await self._try(wanted, said, leaving, is_to_ask=True)
            self._is_short, left = given.is_short, until - time.monotonic()
            if given.is_short and not given.skipped and left <= 0:
                raise NotGiven(NO_ROOM)
            is_over = left <= 0 or leaving.has_gone() or self._is_closed
            is_over = is_over or (was_active and not given.is_active)
            if given.messages or given.skipped or is_over:
                return given
            was_active = given.is_active
            woken: asyncio.Future[Any] = asyncio.ensure_future(self._woken.wait())
            patience = min(left, _RIPEN_SECONDS) if self.known.delay_ms or given.is_short else left
            self._is_idle = True
            try:
                await asyncio.wait(
                    {woken, leaving.watch()}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
                )
            finally:
                self._is_idle = False
                woken.cancel()
        return NOBODYS

    async def _try(
        self, wanted: Wanted, said: Said | None, leaving: Leaving, *, is_to_ask: bool = False
    ) -> Given:
        """What there is now. `is_to_ask`: after a look at what is stored by now."""
        span = wanted.most if self._choosing.key_of is None else max(wanted.most, _SPAN)
        until = time.monotonic() + _PASSING_SECONDS
        try:
            while True:
                page = await self._read(wanted, said, span, is_to_ask=is_to_ask)
                given = await self._give(page, wanted, said, leaving)
                wanted.place.leave(() if given is None else given.messages)
                if given is not None and not (given.has_only_moved and time.monotonic() < until):
                    return given
        except BaseException:
            # What holds is not known, or what was read cannot be gone on with.
            self._cursor = None
            self._source.close()
            raise

    async def _read(self, wanted: Wanted, said: Said | None, span: int, *, is_to_ask: bool) -> Page:
        """What comes above the cursor, where it stands once what is said holds."""
        cursor = self._cursor or await self._look()
        try:
            read = await self._source.stand(cursor if said is None else said.foresee(cursor))
            if is_to_ask:
                await self._source.ask(_LOOK_SECONDS)
            await self._source.collect(span, wanted.most_bytes)
            ripe, is_leased = self._ripe_before(), self.known.mode != CURSOR
            ahead, documents = read.ahead(span, wanted.most_bytes, ripe, is_leased=is_leased)
            fitting = found = len(documents)
            if self._choosing.key_of is not None:
                wanted.place.take_some(documents, wanted.most)  # Which of them wait is not known.
            elif (fitting := wanted.place.take(documents)) < found:
                ahead, documents = read.ahead(fitting, wanted.most_bytes, ripe, is_leased=is_leased)
            return Page(ahead, documents, await self._source.expired(), is_short=fitting == 0 < found)
        except Exception:
            # It needs no messages, and PostgreSQL alone.
            await self.say(said)
            raise

    async def _look(self) -> Cursor:
        cursor, now = await clerk().ask(self.known.id, lambda entry: (entry.cursor, entry.now))
        self._ahead_ms = now - time.monotonic() * 1000
        return cursor

    async def _give(self, page: Page, wanted: Wanted, said: Said | None, leaving: Leaving) -> Given | None:
        """None: the cursor is elsewhere; `_cursor` is where."""
        again = Again(self.known.channel, self._choosing, page, wanted)

        def work(entry: Entry) -> tuple[Any, Handed | Unread | Unplaced | Outdated | Given | None, Cursor]:
            answer = None if said is None else said.say(entry)
            handed = NOBODYS if leaving.has_gone() else hand_out(entry, self.known, page, again)
            return answer, handed, entry.cursor

        while True:
            answer, handed, self._cursor = await clerk().ask(self.known.id, work)
            self._hear(said, answer)
            if isinstance(handed, Handed):
                return self._given(handed, page, again)
            if isinstance(handed, Outdated):
                raise SettingsOutdated
            if isinstance(handed, Unplaced):
                again.make_room(handed)
            elif isinstance(handed, Unread):
                await again.read(handed)
            else:
                return handed

    def _given(self, handed: Handed, page: Page, again: Again) -> Given:
        cursor, self._is_active = handed.cursor, handed.is_active
        self._is_full = handed.leased is not None and handed.leased.is_full
        if not handed.is_active:
            return Given(cursor.position, cursor.generation, is_active=False)
        if handed.leased is None:
            given = Given(page.ahead.upto, page.ahead.generation, page.documents, skipped=handed.missed)
            return replace(given, is_short=page.is_short)
        is_nothing = handed.leased.has_only_moved and handed.missed is None
        if handed.lost or is_nothing:
            self.wake()  # There may be more.
        deliveries = {one.position: one for one in (*handed.leased.again, *handed.leased.new)}
        messages = again.documents(sorted(deliveries))
        given = Given(cursor.position, cursor.generation, messages, deliveries, handed.missed)
        is_short = again.is_short and not messages and not self._is_full
        return replace(given, has_only_moved=is_nothing, is_short=is_short)

    def _ripe_before(self) -> str | None:
        """With a delay: what stands here or above is not handed out yet."""
        if not self.known.delay_ms:
            return None
        now = int(time.monotonic() * 1000 + self._ahead_ms)
        return at_millisecond(now - self.known.delay_ms)
