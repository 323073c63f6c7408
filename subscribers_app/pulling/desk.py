"""One subscription, as it is handed out by this process.

`fetch` is answered in the order in which it is asked: who waits first is given first. The others do not wait
for each other but in the clerk's transactions.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Ahead, Delivery, Leased, lease
from relaycore.delivering.reading import Document
from relaycore.delivering.settings import CURSOR
from relaycore.delivering.skipping import Skip, skip
from relaycore.delivering.tokens import Token
from relaycore.position import first_of
from relaycore.storing.expiring import Expired
from subscribers_app.pulling import archive, ledger
from subscribers_app.pulling.ahead import Source
from subscribers_app.pulling.clerk import Entry, clerk
from subscribers_app.remembering import KnownSubscription

_LEAST_PATIENCE_SECONDS: Final = 0.5
"""Whoever does not want to wait for messages waits so long for those who are before him."""

_RIPEN_SECONDS: Final = 0.5

_LOOK_SECONDS: Final = 2.0
"""So long he waits until somebody has looked."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a fetch asks for. `until_gone`: returns once the client has gone away."""

    most: int
    most_bytes: int
    seconds: float
    until_gone: Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Given:
    """What a fetch is answered.

    deliveries: by position, of what is leased
    position:   mode `cursor`: to commit; mode `lease`: where the cursor stands
    """

    position: str
    generation: int
    messages: Sequence[Document] = ()
    deliveries: Mapping[str, Delivery] = field(default_factory=dict)
    skipped: Skip | None = None
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class _Elsewhere:
    """The cursor is not where it was taken to be."""

    cursor: Cursor


class Desk:
    """Of one event loop, as long as the subscription is set to this."""

    def __init__(self, known: KnownSubscription, wants: Callable[[Document], bool] | None) -> None:
        self.known = known
        self.used_at = time.monotonic()
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._source = Source(known.channel, wants, self._woken.set)
        self._cursor: Cursor | None = None
        self._is_active = known.is_active
        self._ahead_ms = 0.0
        """How far PostgreSQL's clock is ahead of the monotonic one."""
        self._is_closed = False

    @property
    def is_waited_at(self) -> bool:
        """Whether somebody is being answered, or waits."""
        return self._turn.locked()

    def notice(self, glance: ledger.Glance) -> None:
        """What PostgreSQL says of it, by the way."""
        if glance.is_due or (glance.cursor, glance.is_active) != (self._cursor, self._is_active):
            self.wake()

    def wake(self) -> None:
        """There may be something for who waits."""
        self._woken.set()

    def close(self) -> None:
        """It is set to something else by now, or nobody asks: who waits is answered."""
        self._is_closed = True
        self._source.close()
        self._woken.set()

    async def fetch(self, wanted: Wanted) -> Given:
        """Messages, as soon as there are any; none if none come within the time.

        Raises:
            Disconnected, UnfitServer, django.db.Error, PyMongoError: a server does not answer.
            SubscriptionUnknown: it was deleted.
        """
        self.used_at = time.monotonic()
        until = self.used_at + wanted.seconds
        patience = max(wanted.seconds, _LEAST_PATIENCE_SECONDS)
        gone: asyncio.Future[Any] = asyncio.ensure_future(wanted.until_gone())
        given = None
        try:
            async with asyncio.timeout(patience) as limit:
                async with self._turn:
                    # From here on it ends by itself: what is leased is answered.
                    limit.reschedule(None)
                    given = await self._wait(wanted, until, gone)
        except TimeoutError:
            pass
        finally:
            gone.cancel()
        if given is None:
            cursor = self._cursor or await self._look()
            given = Given(cursor.position, cursor.generation)
        return given

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

    async def settle(
        self, tokens: Sequence[Token], change: Callable[[Delivery, int], Delivery | None]
    ) -> list[bool]:
        """Change what these tokens stand for; of each, whether it was in time.

        change: what becomes of a delivery at a time (ms); None: it is done
        """

        def work(entry: Entry) -> list[bool]:
            held = [token for token in tokens if token.generation == entry.cursor.generation]
            rows = ledger.find(entry.sql, entry.id, [token.position for token in held])
            changed: dict[str, Delivery | None] = {}
            answers = []
            for token in tokens:
                row = rows.get(token.position) if token.generation == entry.cursor.generation else None
                in_time = row is not None and token.position not in changed and row.is_held(token.attempt)
                if in_time and row is not None:
                    changed[token.position] = change(row, entry.now)
                answers.append(in_time)
            if done := [position for position, row in changed.items() if row is None]:
                ledger.delete(entry.sql, entry.id, done)
            if kept := [row for row in changed.values() if row is not None]:
                ledger.update(entry.sql, entry.id, kept)
            return answers

        answers = await clerk().ask(self.known.id, work)
        if any(answers):
            self.wake()  # There is room, or something is due.
        return answers

    # --- fetching ------------------------------------------------------------------------

    async def _wait(self, wanted: Wanted, until: float, gone: "asyncio.Future[Any]") -> Given:
        """Try, and wait, and try again."""
        while True:
            self._woken.clear()
            given = await self._try(wanted)
            if not wanted.seconds and not given.messages and given.is_active:
                # Whoever does not wait is given at least what was stored before he asked.
                given = await self._try(wanted, is_to_ask=True)
            left = until - time.monotonic()
            if given.messages or given.skipped or left <= 0 or gone.done() or self._is_closed:
                return given
            woken: asyncio.Future[Any] = asyncio.ensure_future(self._woken.wait())
            # What ripens wakes nobody.
            patience = min(left, _RIPEN_SECONDS) if self.known.delay_ms else left
            await asyncio.wait({woken, gone}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
            if gone.done():
                return given

    async def _try(self, wanted: Wanted, *, is_to_ask: bool = False) -> Given:
        """What there is now. `is_to_ask`: after a look at what is stored by now."""
        try:
            cursor = self._cursor or await self._look()
            while True:
                read = await self._source.stand(cursor)
                if is_to_ask:
                    await self._source.ask(_LOOK_SECONDS)
                await self._source.collect(wanted.most, wanted.most_bytes)
                ahead, documents = read.ahead(wanted.most, wanted.most_bytes, self._ripe_before())
                # After what was read, never before.
                expired = await archive.expired(self.known.channel)
                found = await self._give(ahead, documents, wanted, expired)
                if isinstance(found, Given):
                    return found
                cursor = found.cursor
        except BaseException:
            # What holds is not known, or what was read cannot be gone on with.
            self._cursor = None
            self._source.close()
            raise

    async def _look(self) -> Cursor:
        cursor, now = await clerk().ask(self.known.id, lambda entry: (entry.cursor, entry.now))
        self._ahead_ms = now - time.monotonic() * 1000
        return cursor

    async def _give(
        self, ahead: Ahead, documents: Sequence[Document], wanted: Wanted, expired: Expired
    ) -> "Given | _Elsewhere":
        if self.known.mode == CURSOR:

            def fetch(entry: Entry) -> tuple[Cursor, Given | _Elsewhere]:
                given = _fetched(entry, ahead, documents, expired)
                return entry.cursor, given

            self._cursor, given = await clerk().ask(self.known.id, fetch)
            self._is_active = not isinstance(given, Given) or given.is_active
            return given

        def work(entry: Entry) -> tuple[Leased, Skip | None, bool] | _Elsewhere:
            return _leased(entry, self.known, ahead, wanted.most, expired)

        found = await clerk().ask(self.known.id, work)
        if isinstance(found, _Elsewhere):
            return found
        leased, missed, self._is_active = found
        self._cursor = leased.cursor
        by_position = {document["position"]: document for document in documents}
        deliveries = {one.position: one for one in (*leased.again, *leased.new)}
        if leased.again:
            by_position |= await self._read_again(leased.again)
        messages = [by_position[position] for position in sorted(deliveries) if position in by_position]
        cursor = leased.cursor
        return Given(
            cursor.position, cursor.generation, messages, deliveries, missed, is_active=self._is_active
        )

    async def _read_again(self, again: Sequence[Delivery]) -> dict[str, Document]:
        """What was handed out before. What is not there any more is put on record."""
        found = await archive.find(self.known.channel, [one.id for one in again])
        lost = [one for one in again if one.id not in found]
        if lost:

            def work(entry: Entry) -> None:
                rows = ledger.find(entry.sql, entry.id, [one.position for one in lost])
                for one in lost:
                    if rows.get(one.position) == one:
                        ledger.delete(entry.sql, entry.id, [one.position])
                        ledger.write_undelivered(
                            entry.sql, entry.id, "expired", one.position, one.position, 1
                        )

            await clerk().ask(self.known.id, work)
        return {one.position: found[one.id] for one in again if one.id in found}

    def _ripe_before(self) -> str | None:
        """With a delay: what stands here or above is not handed out yet."""
        if not self.known.delay_ms:
            return None
        now = int(time.monotonic() * 1000 + self._ahead_ms)
        return first_of(f"{max(0, now - self.known.delay_ms)}-0")


def _fetched(
    entry: Entry, ahead: Ahead, documents: Sequence[Document], expired: Expired
) -> Given | _Elsewhere:
    """Mode `cursor`."""
    cursor = entry.cursor
    if (ahead.above, ahead.generation) != (cursor.position, cursor.generation):
        return _Elsewhere(cursor)
    if not entry.is_active:
        return Given(cursor.position, cursor.generation, is_active=False)
    missed = note(entry, expired)
    entry.cursor = cursor.fetch(ahead.upto, ahead.generation)
    entry.was_fetched = True
    return Given(ahead.upto, ahead.generation, documents, skipped=missed)


def _leased(
    entry: Entry, known: KnownSubscription, ahead: Ahead, most: int, expired: Expired
) -> tuple[Leased, Skip | None, bool] | _Elsewhere:
    """Mode `lease`."""
    if (ahead.above, ahead.generation) != (entry.cursor.position, entry.cursor.generation):
        return _Elsewhere(entry.cursor)
    if not entry.is_active:
        return Leased(entry.cursor), None, False
    missed = note(entry, expired)
    rows = ledger.rows(entry.sql, entry.id, entry.now, most)
    leased = lease(known.settings, entry.cursor, rows, ahead, most, entry.now)
    if changed := [*leased.again, *leased.dead]:
        ledger.update(entry.sql, entry.id, changed)
    if leased.new:
        ledger.insert(entry.sql, entry.id, leased.new)
    entry.cursor = leased.cursor
    entry.was_fetched = True
    return leased, missed, True


def note(entry: Entry, expired: Expired) -> Skip | None:
    """What retention has deleted since it was noted, on record."""
    noted, missed = skip(entry.cursor.position, entry.noted, expired)
    if noted.upto != entry.noted.upto:
        ledger.write_skip(entry.sql, entry.id, noted, missed)
        entry.noted = noted
    return missed
