"""One consumer, as it is read by this process."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

from access_app.actor import Actor
from compat_app.log_queue import registering, standing
from compat_app.log_queue.failures import Failure
from compat_app.log_queue.moving import Move, mover
from compat_app.log_queue.remembering import Known
from relaybase.http.bodies import Gone
from relaycore.delivering.beginning import Start
from relaycore.delivering.cursor import Cursor
from relaycore.delivering.reading import Document, ReadAhead
from relaycore.errors import Disconnected
from subscribers_app import seeking
from subscribers_app.pulling.ahead import Source
from subscribers_app.pulling.clerk import clerk
from subscribers_app.pulling.counting import counted
from subscribers_app.pulling.writing import note

_LOOK_SECONDS: Final = 2.0

_PATIENCE_SECONDS: Final = 0.2

IsGone = Callable[[], Awaitable[bool]]
"""Whether the client has gone away."""

PAUSED: Final = "This consumer is paused: an operator has done that to its subscription."


class Reader:
    """Of one event loop. Requests of one consumer take turns, in the order in which they come."""

    def __init__(self, known: Known) -> None:
        self.known = known
        self.used_at = time.monotonic()
        self._counted = counted(known.subscription)
        self._asking = 0
        self._turn = asyncio.Lock()
        self._source = Source(known.channel, None, lambda: None)
        self._cursor: Cursor | None = None
        self._read: ReadAhead | None = None
        self._noted = ""
        self._ended = ""
        """With this entry all of the stream was read when last there was nothing more; empty: never yet."""

    @property
    def is_waited_at(self) -> bool:
        """Whether somebody is being answered, or waits for his turn."""
        return self._asking > 0

    async def consume(self, is_gone: IsGone) -> Document | None:
        """The next message, once the cursor is above it and that is committed. None: nothing was produced.

        Raises:
            Failure: it is paused.
            Gone: the client has gone away while it waited. Nothing was consumed for it.
            SubscriptionUnknown: it was deleted.
            Disconnected, UnfitServer, django.db.Error, PyMongoError: a server does not answer.
        """
        began = time.monotonic()

        async def is_wanted() -> bool:
            # Whoever is answered at once has had no time to go.
            return time.monotonic() - began < _PATIENCE_SECONDS or not await is_gone()

        async with self._in_turn():
            try:
                return await self._consume(is_wanted)
            except BaseException:
                # Where the cursor stands is not known, or what was read cannot be gone on with.
                self._let_go()
                raise

    async def left(self) -> int:
        """How many messages it has not consumed, of all that were produced before this was asked.

        Raises:
            SubscriptionUnknown, Disconnected, UnfitServer, PyMongoError: as `consume`.
        """
        async with self._in_turn():
            # In this order: where it stood, and then what there is.
            seen = (await mover().look(self.known.subscription)).cursor
            last = await standing.last_produced(self.known.channel)
            if last == self._ended and self._stands_at(seen) and self._read is not None and not self._read:
                return 0
            await standing.wait_until_stored(self.known.channel, last)
            return await standing.count(self.known.channel, seen.position)

    async def seek(self, position: str, actor: Actor) -> None:
        """Go on above this position. What is passed over stands on record.

        Raises:
            SubscriptionUnknown: it was deleted.
            Disconnected, django.db.Error, PyMongoError: a server does not answer.
        """
        async with self._in_turn():
            self._let_go()
            start, name = Start(position), registering.name_of(self.known.id)
            await registering.in_a_thread(actor, lambda: seeking.seek(name, start))

    def close(self) -> None:
        """Let go what was read."""
        self._let_go()

    @contextlib.asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        self.used_at = time.monotonic()
        self._asking += 1
        try:
            async with self._turn:
                yield
        finally:
            self._asking -= 1
            if not self._asking:
                self._source.rest()

    # --- consuming -----------------------------------------------------------------------

    async def _consume(self, is_wanted: Callable[[], Awaitable[bool]]) -> Document | None:
        while True:
            cursor = self._cursor or await self._look()
            first = await self._first(cursor)
            # All of it may be deleted: then nothing may ever come that this could wait for.
            await self._note(cursor)
            if first is None:
                # It may stand elsewhere by now: somebody else has sought.
                await self._look()
                if self._stands_at(cursor):
                    return None
                continue
            if not await is_wanted():
                raise Gone
            position = first["position"]
            if await mover().move(Move(self.known.subscription, cursor, position)):
                self._cursor = cursor.step(cursor, position)
                self._counted.handed_out(1)
                self._counted.done(1)
                return first
            self._cursor = None

    async def _look(self) -> Cursor:
        glance = await mover().look(self.known.subscription)
        if not glance.is_active:
            raise Failure(PAUSED)
        self._cursor = glance.cursor
        return glance.cursor

    def _stands_at(self, cursor: Cursor) -> bool:
        return self._cursor is not None and self._cursor.stands_as(cursor)

    async def _first(self, cursor: Cursor) -> Document | None:
        """What stands right above the cursor; None: nothing that was produced up to now."""
        read = await self._source.stand(cursor)
        if read is not self._read:
            self._read, self._ended = read, ""
        await self._source.collect(1, 1)
        if not read:
            await self._catch_up(read)
        return read.first(1, 0)[0][0] if read else None

    async def _catch_up(self, read: ReadAhead) -> None:
        """Until there is something, or everything that was produced by now has been read."""
        last = await standing.last_produced(self.known.channel)
        if last == self._ended:
            return
        await standing.wait_until_stored(self.known.channel, last)
        await self._source.ask(_LOOK_SECONDS)
        if read:
            return
        if not self._source.has_read(last):
            raise Disconnected(standing.NOT_STORED)
        self._ended = last

    async def _note(self, cursor: Cursor) -> None:
        """What retention has deleted above the cursor before it was read stands on record."""
        expired = await self._source.expired()
        if expired.upto <= max(cursor.position, self._noted):
            return

        await clerk().ask(self.known.subscription, lambda entry: note(entry, expired))
        self._noted = expired.upto

    def _let_go(self) -> None:
        self._source.close()
        self._cursor = self._read = None
        self._ended = self._noted = ""
