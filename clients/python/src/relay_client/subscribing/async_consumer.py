"""Taking the messages of a subscription, for asyncio. `inbox` decides; here are the tasks, and the waiting.

Two tasks do the requests, as the two threads of `consumer` do. All of it runs in one event loop, so nothing
is locked. A forked child may not use it, for the reasons that `consumer` gives.

Who ends a program cancels every task, as `asyncio.run` does, these two among them. Whoever waits for a
message or closes the consumer after that has them begin anew. They do not by themselves, since nobody might
end them.
"""

import asyncio
import functools
import logging
import os
import random
import ssl
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import httpx2

from relay_client.answers import Answer
from relay_client.connections import Address, AsyncConnection
from relay_client.errors import Closed, RelayError, TimedOut, Unreachable
from relay_client.subscribing.holding import Ask, Held
from relay_client.subscribing.inbox import Inbox, Lane
from relay_client.subscribing.notices import Told, tell
from relay_client.subscribing.pace import Pace
from relay_client.subscribing.taken import Taken

log = logging.getLogger("relay_client")


class AsyncConsumer:
    """Takes the messages of one subscription, in either mode. Tasks of one event loop may share it.

    The arguments are those of `Consumer`; `told` is called in the event loop. What `message.ack()` and
    `message.nack()` do is not awaited, and `with message:` needs no `async`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        subscription: str,
        *,
        pace: Pace | None = None,
        told: Told | None = None,
        timeout_seconds: float = 30.0,
        verify: ssl.SSLContext | bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._pace = pace or Pace()
        if timeout_seconds <= self._pace.wait_seconds:
            raise ValueError("A request has to be able to take longer than Relay waits for messages.")
        self._address = Address(url, key)
        self._connection = AsyncConnection(
            self._address, timeout_seconds=timeout_seconds, verify=verify, transport=transport
        )
        self._name = subscription
        self._told = told
        self._process = os.getpid()
        self._inbox = Inbox(subscription, self._pace)
        self._chance = random.Random()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[Lane, asyncio.Task[None]] = {}
        self._sleepers: set[asyncio.Future[None]] = set()

    # --- for everybody ------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncIterator[Taken]:
        """The messages as they come, until `stop`: `Consumer.__iter__` says when one is done.

        Raises:
            RelayError: something that will not pass, such as a token that holds no longer.
        """
        while (taken := await self.take()) is not None:
            yield taken
            before = self._planned()
            self._inbox.passed(taken._held, self._loop().time())
            self._call(before)

    async def take(self, timeout: float | None = None) -> Taken | None:
        """The next message; None: there was none in this time, or the consumer is stopped.

        It is done once `ack` says so, in both modes.

        Raises:
            Closed: the consumer is closed, or was made in another process.
            RelayError: something that will not pass.
        """
        loop = self._loop()
        if self._inbox.is_over:
            raise Closed("The consumer is closed.")
        until = None if timeout is None else loop.time() + timeout
        while not self._inbox.is_stopping:
            self._start()
            before = self._planned()
            if (held := self._inbox.take(loop.time())) is not None:
                self._call(before)
                return Taken(held, self)
            if until is not None and loop.time() >= until:
                break
            self._inbox.waiters += 1
            try:
                self._call(before)
                times = [time for time in (until, self._inbox.ready_at) if time is not None]
                await self._sleep(min(times, default=None))
            finally:
                self._inbox.waiters -= 1
        return None

    def stop(self) -> None:
        """Hand out no more: loops end once they ask for the next. May be called in a signal handler."""
        self._inbox.is_stopping = True
        if self._own_loop is not None and not self._own_loop.is_closed():
            self._own_loop.call_soon_threadsafe(self._wake)

    async def close(self, timeout: float | None = None) -> None:
        """Stop, tell Relay what is done, and give back what nobody has begun. May be called again.

        It takes up to `timeout` or else `pace.closing_seconds`.

        Raises:
            TimedOut: Relay could not be told in time: what was done last comes again.
            RelayError: it cannot be told at all.
        """
        self._inbox.is_stopping = True
        if os.getpid() != self._process:
            return  # Nothing here belongs to this process.
        loop = self._loop()
        if self._inbox.is_over:
            return
        self._inbox.close(loop.time())
        self._wake()
        seconds = self._pace.closing_seconds if timeout is None else timeout
        try:
            until = loop.time() + seconds
            while not self._inbox.is_settled and loop.time() < until:
                self._start()
                await self._sleep(until)
        finally:
            is_settled = self._inbox.is_settled
            self._inbox.end()
            self._wake()
            for task in self._tasks.values():
                task.cancel()
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
            await self._connection.close()
        if (untold := self._inbox.untold) is not None:
            raise untold
        if not is_settled:
            raise TimedOut(f"Relay could not be told within {seconds} s what is done: it comes again.")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.close()
        except RelayError as untold:
            if error is None:
                raise
            log.warning("subscription %s: %s", self._name, untold)  # What was raised first is told.

    def __repr__(self) -> str:
        return f"AsyncConsumer({self._address.site!r}, {self._name!r})"

    # --- for messages -------------------------------------------------------------------------

    def _ack(self, held: Held) -> None:
        before = self._planned()
        self._inbox.ack(held, self._loop().time())
        self._call(before)

    def _nack(self, held: Held, delay: float | None) -> None:
        self._inbox.nack(held, delay, self._loop().time())
        self._wake()

    # --- waiting ------------------------------------------------------------------------------

    async def _sleep(self, until: float | None) -> None:
        """Until somebody wakes us, or this time."""
        loop = self._loop()
        sleeper: asyncio.Future[None] = loop.create_future()
        self._sleepers.add(sleeper)
        seconds = None if until is None else max(0.0, until - loop.time())
        try:
            await asyncio.wait({sleeper}, timeout=seconds)
        finally:
            self._sleepers.discard(sleeper)

    def _wake(self) -> None:
        for sleeper in self._sleepers:
            if not sleeper.done():
                sleeper.set_result(None)

    def _planned(self) -> tuple[float | None, float | None]:
        """When each task will look by itself."""
        return self._inbox.look_at(self._inbox.fetching), self._inbox.look_at(self._inbox.settling)

    def _call(self, before: tuple[float | None, float | None]) -> None:
        """Wake the tasks if one has to look earlier. Who waits for messages must not wake others like him."""
        for old, new in zip(before, self._planned(), strict=True):
            if new is not None and (old is None or new < old):
                self._wake()
                return

    # --- the tasks ----------------------------------------------------------------------------

    def _start(self) -> None:
        for lane in (self._inbox.fetching, self._inbox.settling):
            task = self._tasks.get(lane)
            if task is None or task.cancelled():
                task = self._tasks[lane] = self._loop().create_task(self._work(lane))
                task.add_done_callback(functools.partial(self._ended, lane))

    def _ended(self, lane: Lane, task: asyncio.Task[None]) -> None:
        """If somebody has cancelled it: what it has asked is to be asked again."""
        if not task.cancelled() or self._inbox.is_over:
            return
        if (ask := lane.asked) is not None:
            error = Unreachable("The request was cancelled.", was_sent=True)
            # Nobody is told: Relay is not away.
            self._inbox.answered(lane, ask, error, self._loop().time(), self._chance.random())
        self._wake()

    async def _work(self, lane: Lane) -> None:
        while (ask := await self._next(lane)) is not None:
            got = await self._attempt(ask)
            notices = self._inbox.answered(lane, ask, got, self._loop().time(), self._chance.random())
            self._wake()
            tell(log, self._name, self._told, notices)

    async def _next(self, lane: Lane) -> Ask | None:
        """Wait until there is something to ask; None: it is over."""
        while not self._inbox.is_over:
            if (ask := self._inbox.step(lane, self._loop().time())) is not None:
                return ask
            await self._sleep(self._inbox.look_at(lane))
        return None

    async def _attempt(self, ask: Ask) -> Answer | Exception:
        try:
            return await self._connection.answer(ask.call)
        except Exception as error:  # The one who asks must not die of it.
            return error

    # --- who may ------------------------------------------------------------------------------

    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that this belongs to: the one that it was used in first."""
        if os.getpid() != self._process:
            raise Closed("This consumer was made in another process. Make one after the fork.")
        loop = asyncio.get_running_loop()
        if self._own_loop is None:
            self._own_loop = loop
        if self._own_loop is not loop:
            raise Closed("This consumer belongs to another event loop.")
        return loop
