"""Taking the messages of a subscription, for threads. `inbox` decides; here are the threads, and the waiting.

One lock guards the inbox. Two threads of the consumer's own do its requests: one fetches, the other says what
is done and extends leases; so a long poll holds up nothing. They are daemons: a program that ends without
`close` has said nothing of its last messages, and they come again.

`stop` may be called in a signal handler, which interrupts a thread anywhere. So it takes no lock, and wakes
nobody: it leaves a mark, and who waits for a message looks at it every `_LOOK_SECONDS`.

After a fork the child has none of these threads, and connections that are the parent's: there everything
raises `Closed`.
"""

import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

import httpx2

from relay_client.answers import Answer
from relay_client.connections import Address, Connection
from relay_client.errors import Closed, RelayError, TimedOut
from relay_client.subscribing.holding import Ask, Held
from relay_client.subscribing.inbox import Inbox, Lane
from relay_client.subscribing.notices import Told, tell
from relay_client.subscribing.pace import Pace
from relay_client.subscribing.taken import Taken

log = logging.getLogger("relay_client")

_LOOK_SECONDS: Final = 0.2


class Consumer:
    """Takes the messages of one subscription, in either mode. Threads may share it, a forked child may not.

    `url`: of the site. `key`: of a token that may consume. `pace`: see `Pace`. `told`: is called, in a thread
    of the consumer's, with each `Notice`; without it they stand in the log as warnings. A step of a request
    may take `timeout_seconds`, which has to be longer than `pace.wait_seconds`.
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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._pace = pace or Pace()
        if timeout_seconds <= self._pace.wait_seconds:
            raise ValueError("A request has to be able to take longer than Relay waits for messages.")
        self._address = Address(url, key)
        self._connection = Connection(
            self._address, timeout_seconds=timeout_seconds, verify=verify, transport=transport
        )
        self._name = subscription
        self._told = told
        self._process = os.getpid()
        self._inbox = Inbox(subscription, self._pace)
        self._chance = random.Random()
        self._changed = threading.Condition()
        self._threads: list[threading.Thread] = []

    # --- for everybody ------------------------------------------------------------------------

    def __iter__(self) -> Iterator[Taken]:
        """The messages as they come, until `stop`.

        In mode `cursor` a message is done when the next one is asked for, unless `message.nack()` or an error
        within `with message:` has said otherwise. It is not where the loop is left: `message.ack()` before
        says so. In mode `lease` it is done once `message.ack()` or the end of `with message:` says so.

        Raises:
            RelayError: something that will not pass, such as a token that holds no longer.
        """
        while (taken := self.take()) is not None:
            yield taken
            self._pass(taken)

    def take(self, timeout: float | None = None) -> Taken | None:
        """The next message; None: there was none in this time, or the consumer is stopped.

        It is done once `ack` says so, in both modes.

        Raises:
            Closed: the consumer is closed, or was made in another process.
            RelayError: something that will not pass.
        """
        self._check_process()
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            if self._inbox.is_over:
                raise Closed("The consumer is closed.")
            self._start()
            while not self._inbox.is_stopping:
                before = self._planned()
                now = time.monotonic()
                if (held := self._inbox.take(now)) is not None:
                    self._call(before)
                    return Taken(held, self)
                if until is not None and now >= until:
                    break
                times = (now + _LOOK_SECONDS, until, self._inbox.ready_at)
                self._wait(min(time for time in times if time is not None) - now)
            return None

    def stop(self) -> None:
        """Hand out no more: loops end once they ask for the next. May be called in a signal handler."""
        self._inbox.is_stopping = True

    def close(self, timeout: float | None = None) -> None:
        """Stop, tell Relay what is done, and give back what nobody has begun. May be called again.

        It takes up to `timeout` or else `pace.closing_seconds`.

        Raises:
            TimedOut: Relay could not be told in time: what was done last comes again.
            RelayError: it cannot be told at all.
        """
        self._inbox.is_stopping = True
        if os.getpid() != self._process:
            return  # Nothing here belongs to this process.
        with self._changed:
            if self._inbox.is_over:
                return
            self._inbox.close(time.monotonic())
            self._changed.notify_all()
            seconds = self._pace.closing_seconds if timeout is None else timeout
            is_settled = self._changed.wait_for(lambda: self._inbox.is_settled, seconds)
            self._inbox.end()
            self._changed.notify_all()
            untold = self._inbox.untold
        self._connection.close()
        if untold is not None:
            raise untold
        if not is_settled:
            raise TimedOut(f"Relay could not be told within {seconds} s what is done: it comes again.")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.close()
        except RelayError as untold:
            if error is None:
                raise
            log.warning("subscription %s: %s", self._name, untold)  # What was raised first is told.

    def __repr__(self) -> str:
        return f"Consumer({self._address.site!r}, {self._name!r})"

    # --- for messages -------------------------------------------------------------------------

    def _pass(self, taken: Taken) -> None:
        self._check_process()
        with self._changed:
            before = self._planned()
            self._inbox.passed(taken._held, time.monotonic())
            self._call(before)

    def _ack(self, held: Held) -> None:
        self._check_process()
        with self._changed:
            before = self._planned()
            self._inbox.ack(held, time.monotonic())
            self._call(before)

    def _nack(self, held: Held, delay: float | None) -> None:
        self._check_process()
        with self._changed:
            before = self._planned()
            self._inbox.nack(held, delay, time.monotonic())
            self._call(before)

    # --- waiting, with the lock ---------------------------------------------------------------

    def _wait(self, seconds: float) -> None:
        before = self._planned()
        self._inbox.waiters += 1
        self._call(before)
        try:
            self._changed.wait(max(0.0, seconds))
        finally:
            self._inbox.waiters -= 1

    def _planned(self) -> tuple[float | None, float | None]:
        """When each thread will look by itself."""
        return self._inbox.look_at(self._inbox.fetching), self._inbox.look_at(self._inbox.settling)

    def _call(self, before: tuple[float | None, float | None]) -> None:
        """Wake the threads if one has to look earlier."""
        for old, new in zip(before, self._planned(), strict=True):
            if new is not None and (old is None or new < old):
                self._changed.notify_all()
                return

    # --- the threads --------------------------------------------------------------------------

    def _start(self) -> None:
        lanes = ((self._inbox.fetching, "fetches"), (self._inbox.settling, "settles"))
        for lane, name in lanes[len(self._threads) :]:  # There may have been no thread to have for one.
            thread = threading.Thread(
                target=self._work, args=[lane], name=f"relay-consumer-{name}", daemon=True
            )
            thread.start()
            self._threads.append(thread)

    def _work(self, lane: Lane) -> None:
        while True:
            with self._changed:
                if (ask := self._next(lane)) is None:
                    return
            got = self._attempt(ask)
            with self._changed:
                notices = self._inbox.answered(lane, ask, got, time.monotonic(), self._chance.random())
                self._changed.notify_all()
            tell(log, self._name, self._told, notices)

    def _next(self, lane: Lane) -> Ask | None:
        """Wait until there is something to ask; None: it is over."""
        while not self._inbox.is_over:
            now = time.monotonic()
            if (ask := self._inbox.step(lane, now)) is not None:
                return ask
            at = self._inbox.look_at(lane)
            self._changed.wait(None if at is None else max(0.0, at - now))
        return None

    def _attempt(self, ask: Ask) -> Answer | Exception:
        try:
            return self._connection.answer(ask.call)
        except Exception as error:  # The one who asks must not die of it.
            return error

    # --- who may ------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise Closed("This consumer was made in another process. Make one after the fork.")
