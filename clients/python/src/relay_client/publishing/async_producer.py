"""Publishing, for asyncio. What is sent when is decided by `outbox`; here are the tasks, and the waiting.

One timer stands at the time when the outbox is to be looked at, and a task does each request. All of it
runs in one event loop, so nothing is locked. A forked child may not use it, for the reasons that `producer`
gives.
"""

import asyncio
import functools
import logging
import os
import random
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx2

from relay_client import calls
from relay_client.calls import Confirm
from relay_client.connections import Address, AsyncConnection
from relay_client.errors import BufferFull, Closed, TimedOut, Undelivered, Unreachable
from relay_client.publishing.lines import outgoing
from relay_client.publishing.outbox import Outbox
from relay_client.publishing.outcomes import of_answer, of_error
from relay_client.publishing.outgoing import Batch, Limits, Outcome, Receipt, Settled
from relay_client.publishing.resolving import Keys, Unresolved, tell

log = logging.getLogger("relay_client")

AsyncDelivery = asyncio.Future[Receipt]
"""Of one message: a receipt, or an `Undelivered`. Whoever cancels it is not told, and the message goes on."""


class AsyncProducer:
    """Publishes to the channels of one Relay, in batches. Tasks of one event loop may share it.

    The arguments are those of `Producer`.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        confirm: Confirm | None = None,
        limits: Limits | None = None,
        timeout_seconds: float = 30.0,
        verify: ssl.SSLContext | bool = True,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self._address = Address(url, key)
        self._connection = AsyncConnection(
            self._address, timeout_seconds=timeout_seconds, verify=verify, transport=transport
        )
        self._confirm = confirm
        self._process = os.getpid()
        self._outbox: Outbox[AsyncDelivery] = Outbox(limits or Limits())
        self._chance = random.Random()
        self._keys = Keys()
        self._unresolved = Unresolved()
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._requests: set[asyncio.Task[Outcome]] = set()
        self._waiters: dict[asyncio.Future[None], None] = {}  # in their order
        self._is_closing = False

    # --- for everybody ------------------------------------------------------------------------

    async def send(
        self,
        channel: str,
        message: str | bytes,
        *,
        attributes: Mapping[str, str] | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> AsyncDelivery:
        """Take a message, and send it soon; await what comes back to know what has become of it.

        This itself waits only while there is no room, `timeout` seconds at most: `Producer.send` says more.

        Raises:
            BufferFull: there was no room in time.
            Closed: the producer is closed, or was made in another process.
            TypeError, ValueError: it is no message, or that is no channel.
        """
        loop = self._loop()
        delivery: AsyncDelivery = loop.create_future()
        taken = outgoing(
            channel,
            message,
            delivery,
            self._keys,
            attributes=attributes,
            content_type=content_type,
            idempotency_key=idempotency_key,
        )
        await self._wait_for_room(taken.line, timeout)
        self._outbox.add(taken, loop.time())
        self._unresolved.add(taken)
        self._set_timer()
        return delivery

    async def flush(self, timeout: float | None = None) -> None:
        """Wait until everything that was sent before is settled, whether it was delivered or not.

        Raises:
            TimedOut: not within `timeout` seconds. It goes on.
            Closed: the producer was made in another process.
        """
        self._loop()
        if not await self._flushed(timeout):
            raise TimedOut(f"Not everything was settled within {timeout} s.")

    async def close(self, timeout: float | None = None) -> None:
        """Take nothing more, and flush. May be called again.

        Raises:
            TimedOut: not within `timeout` seconds. What is left is `Undelivered`.
        """
        if os.getpid() != self._process:
            return  # Nothing here belongs to this process.
        self._loop()
        self._is_closing = True
        self._wake()  # Who waits for room waits no longer.
        left: list[Settled[AsyncDelivery]] = []
        try:
            is_flushed = await self._flushed(timeout)
        finally:
            left = self._outbox.give_up(Closed("The producer was closed before it was delivered."))
            self._resolve(left)
            self._set_timer()
            requests = list(self._requests)
            for request in requests:
                request.cancel()
            await asyncio.gather(*requests, return_exceptions=True)
            await self._connection.close()
        if not is_flushed:
            raise TimedOut(
                f"Not everything was settled within {timeout} s; {len(left)} messages are given up."
            )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncProducer({self._address.site!r})"

    # --- waiting ------------------------------------------------------------------------------

    async def _wait_for_room(self, line: bytes, timeout: float | None) -> None:
        if not self._is_closing and self._outbox.has_room(line):
            return
        if not self._outbox.can_hold(line):
            raise BufferFull(f"The message has {len(line)} bytes, more than the buffer can ever hold.")
        try:
            async with asyncio.timeout(timeout):
                while not self._is_closing and not self._outbox.has_room(line):
                    self._hurry()
                    await self._woken()
        except TimeoutError:
            waiting = self._outbox.messages
            raise BufferFull(f"{waiting} messages wait to be delivered: there is no room.") from None
        if self._is_closing:
            raise Closed("The producer is closed.")

    async def _flushed(self, timeout: float | None) -> bool:
        self._hurry()
        flush = self._unresolved.flush()
        try:
            async with asyncio.timeout(timeout):
                while not flush.is_done:
                    await self._woken()
        except TimeoutError:
            return flush.is_done
        finally:
            self._unresolved.forget(flush)
        return True

    async def _woken(self) -> None:
        waiter = self._loop().create_future()
        self._waiters[waiter] = None
        try:
            await waiter
        finally:
            del self._waiters[waiter]

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _hurry(self) -> None:
        self._outbox.hurry()
        self._set_timer()

    # --- sending ------------------------------------------------------------------------------

    def _set_timer(self) -> None:
        at = self._outbox.look_at()
        if self._timer is not None:
            if self._timer.when() == at:
                return
            self._timer.cancel()
            self._timer = None
        if at is not None:
            self._timer = self._loop().call_at(at, self._look)

    def _look(self) -> None:
        self._timer = None
        loop = self._loop()
        while True:
            batch, settled = self._outbox.step(loop.time())
            self._resolve(settled)
            if batch is not None:
                request = loop.create_task(self._attempt(batch))
                self._requests.add(request)
                request.add_done_callback(functools.partial(self._answered, batch))
            elif not settled:
                break
        self._set_timer()

    def _answered(self, batch: Batch[AsyncDelivery], request: asyncio.Task[Outcome]) -> None:
        self._requests.discard(request)
        # Who ends a program cancels every task, this one too. Unless it is sent anew, whoever closes the
        # producer after that waits for ever.
        outcome = _cancelled() if request.cancelled() else request.result()
        settled = self._outbox.answered(batch, outcome, self._loop().time(), self._chance.random())
        self._resolve(settled)
        self._wake()
        self._set_timer()

    async def _attempt(self, batch: Batch[AsyncDelivery]) -> Outcome:
        try:
            call = calls.publish(batch.channel, batch.body, self._confirm)
            return of_answer(batch, await self._connection.answer(call))
        except Exception as error:  # The one who is to settle the messages must not die of it.
            return of_error(error)

    def _resolve(self, settled: list[Settled[AsyncDelivery]]) -> None:
        if not settled:
            return
        for each in settled:
            delivery = each.message.handle
            if delivery.done():
                continue  # Cancelled: nobody waits for it.
            if isinstance(each.result, Undelivered):
                delivery.set_exception(each.result)
                delivery.exception()  # It is told below, so asyncio need not complain if nobody looks.
            else:
                delivery.set_result(each.result)
        tell(log, settled)
        self._unresolved.gone(settled)
        self._wake()

    def _loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that this belongs to: the one that it was used in first."""
        if os.getpid() != self._process:
            raise Closed("This producer was made in another process. Make one after the fork.")
        loop = asyncio.get_running_loop()
        if self._own_loop is None:
            self._own_loop = loop
        if self._own_loop is not loop:
            raise Closed("This producer belongs to another event loop.")
        return loop


def _cancelled() -> Outcome:
    return of_error(Unreachable("The request was cancelled.", was_sent=True))
