"""Publishing, for threads. What is sent when is decided by `outbox`; here are the threads, and the waiting.

One lock guards the outbox. Threads of the producer's own do the requests: one of those that are free, the
leader, waits until there is something to send. It takes it, hands the lead to another (a new one, up to
`most_under_way`), sends, and settles. Futures are resolved, and their callbacks called, in such a thread
and without the lock. A callback that waits holds up a request, so there nothing waits for room
(`BufferFull`) or for a flush.

After a fork the child has none of these threads, perhaps a lock that nobody will release, and connections
that are the parent's; and both would give the same idempotency keys to different messages. So there
everything raises `Closed` before it touches anything. What waited is the parent's to send.
"""

import atexit
import contextlib
import logging
import os
import random
import ssl
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from types import TracebackType
from typing import Final, Self

import httpx2

from relay_client import calls
from relay_client.calls import Confirm
from relay_client.connections import Address, Connection
from relay_client.errors import BufferFull, Closed, RelayError, TimedOut, Undelivered
from relay_client.publishing.lines import outgoing
from relay_client.publishing.outbox import Outbox
from relay_client.publishing.outcomes import of_answer, of_error
from relay_client.publishing.outgoing import Batch, Limits, Outcome, Receipt, Settled
from relay_client.publishing.resolving import Keys, Unresolved, tell

log = logging.getLogger("relay_client")

Delivery = Future[Receipt]
"""Of one message: a receipt, or an `Undelivered`. It cannot be cancelled: the message may be on its way."""

SECONDS_AT_EXIT: Final = 10.0
"""For what is left when the interpreter ends, and nobody has closed the producer."""


class Producer:
    """Publishes to the channels of one Relay, in batches. Threads may share it, a forked child may not.

    `url`: of the site. `key`: of a token that may publish. With `confirm="stored"` a receipt comes
    once MongoDB has the message, or after 10 s. `limits`: see `Limits`. Each step of a request (connect,
    send, receive) may take `timeout_seconds`.
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
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._address = Address(url, key)
        self._connection = Connection(
            self._address, timeout_seconds=timeout_seconds, verify=verify, transport=transport
        )
        self._confirm = confirm
        self._process = os.getpid()
        self._outbox: Outbox[Delivery] = Outbox(limits or Limits())
        self._chance = random.Random()
        self._keys = Keys()
        self._unresolved = Unresolved()
        self._lock = threading.Lock()
        self._news = threading.Condition(self._lock)  # for the leader
        self._lead = threading.Condition(self._lock)  # for those who might become it
        self._done = threading.Condition(self._lock)  # for those who wait for room, or for a flush
        self._threads: list[threading.Thread] = []
        self._followers = 0
        self._is_led = False
        self._is_closing = False
        self._is_over = False
        atexit.register(self._close_at_exit)

    # --- for everybody ------------------------------------------------------------------------

    def send(
        self,
        channel: str,
        message: str | bytes,
        *,
        attributes: Mapping[str, str] | None = None,
        content_type: str | None = None,
        idempotency_key: str | None = None,
        timeout: float | None = None,
    ) -> Delivery:
        """Take a message, and send it soon; what becomes of it is in the future that comes back.

        While there is no room this waits, `timeout` seconds at most. A message with an `idempotency_key` of
        its own is stored once also where several producers with the same token send it, or one does after a
        restart.

        Raises:
            BufferFull: there was no room in time.
            Closed: the producer is closed, or was made in another process.
            TypeError, ValueError: it is no message, or that is no channel.
        """
        self._check_process()
        delivery: Delivery = Future()
        taken = outgoing(
            channel,
            message,
            delivery,
            self._keys,
            attributes=attributes,
            content_type=content_type,
            idempotency_key=idempotency_key,
        )
        delivery.set_running_or_notify_cancel()
        with self._lock:
            self._wait_for_room(taken.line, timeout)
            if not self._threads:  # Before anything is taken: there may be none to have.
                self._start_thread()
            before = self._outbox.look_at()
            self._outbox.add(taken, time.monotonic())
            self._unresolved.add(taken)
            if (at := self._outbox.look_at()) is not None and (before is None or at < before):
                self._call_leader()
        return delivery

    def flush(self, timeout: float | None = None) -> None:
        """Wait until everything that was sent before is settled, whether it was delivered or not.

        Raises:
            TimedOut: not within `timeout` seconds. It goes on.
            Closed: the producer was made in another process.
        """
        self._check_process()
        self._check_thread()
        with self._lock:
            if not self._flushed(timeout):
                raise TimedOut(f"Not everything was settled within {timeout} s.")

    def close(self, timeout: float | None = None) -> None:
        """Take nothing more, and flush. May be called again.

        Raises:
            TimedOut: not within `timeout` seconds. What is left is `Undelivered`.
        """
        if os.getpid() != self._process:
            return  # Nothing here belongs to this process.
        self._check_thread()
        with self._lock:
            self._is_closing = True
            self._done.notify_all()  # Who waits for room waits no longer.
            is_flushed = self._flushed(timeout)
            left = self._outbox.give_up(Closed("The producer was closed before it was delivered."))
            self._is_over = True
            self._news.notify_all()
            self._lead.notify_all()
            threads = list(self._threads)
        self._resolve(left)
        atexit.unregister(self._close_at_exit)
        if is_flushed:
            for thread in threads:
                thread.join()
        self._connection.close()
        if not is_flushed:
            raise TimedOut(
                f"Not everything was settled within {timeout} s; {len(left)} messages are given up."
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Producer({self._address.site!r})"

    # --- waiting, with the lock ---------------------------------------------------------------

    def _wait_for_room(self, line: bytes, timeout: float | None) -> None:
        if not self._outbox.can_hold(line):
            raise BufferFull(f"The message has {len(line)} bytes, more than the buffer can ever hold.")
        until = None if timeout is None else time.monotonic() + timeout
        while not self._is_closing and not self._outbox.has_room(line):
            self._hurry()
            left = None if until is None else until - time.monotonic()
            if (left is not None and left <= 0) or threading.current_thread() in self._threads:
                raise BufferFull(f"{self._outbox.messages} messages wait to be delivered: there is no room.")
            self._done.wait(left)
        if self._is_closing:
            raise Closed("The producer is closed.")

    def _flushed(self, timeout: float | None) -> bool:
        self._hurry()
        flush = self._unresolved.flush()
        try:
            return self._done.wait_for(lambda: flush.is_done, timeout)
        finally:
            self._unresolved.forget(flush)

    def _hurry(self) -> None:
        self._outbox.hurry()
        if self._outbox.look_at() is not None:
            self._call_leader()

    def _call_leader(self) -> None:
        """There is something to look at. If all are sending, the first one that is done will see it."""
        if self._is_led:
            self._news.notify()
        elif self._followers:
            self._lead.notify()
        elif len(self._threads) < self._outbox.limits.most_under_way:
            with contextlib.suppress(RuntimeError):  # No more threads to have: those there are come back.
                self._start_thread()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._work, name="relay-producer", daemon=True)
        thread.start()
        self._threads.append(thread)

    # --- the threads --------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            with self._lock:
                if (led := self._take()) is None:
                    return
                batch, settled = led
            self._resolve(settled)
            if batch is not None:
                outcome = self._attempt(batch)
                with self._lock:
                    settled = self._outbox.answered(batch, outcome, time.monotonic(), self._chance.random())
                    self._done.notify_all()
                    if self._outbox.look_at() is not None:
                        self._call_leader()
                self._resolve(settled)

    def _take(self) -> tuple[Batch[Delivery] | None, list[Settled[Delivery]]] | None:
        """Become the leader, and wait until there is something to do; None: it is over."""
        while self._is_led and not self._is_over:
            self._followers += 1
            self._lead.wait()
            self._followers -= 1
        self._is_led = True
        try:
            while not self._is_over:
                batch, settled = self._outbox.step(time.monotonic())
                if batch is not None or settled:
                    return batch, settled
                at = self._outbox.look_at()
                self._news.wait(None if at is None else max(0.0, at - time.monotonic()))
            return None
        finally:
            self._is_led = False
            if self._outbox.look_at() is not None:
                self._call_leader()

    def _attempt(self, batch: Batch[Delivery]) -> Outcome:
        try:
            call = calls.publish(batch.channel, batch.body, self._confirm)
            return of_answer(batch, self._connection.answer(call))
        except Exception as error:  # The one who is to settle the messages must not die of it.
            return of_error(error)

    def _resolve(self, settled: list[Settled[Delivery]]) -> None:
        if not settled:
            return
        for each in settled:
            if isinstance(each.result, Undelivered):
                each.message.handle.set_exception(each.result)
            else:
                each.message.handle.set_result(each.result)
        tell(log, settled)
        with self._lock:
            self._unresolved.gone(settled)
            self._done.notify_all()

    # --- who may ------------------------------------------------------------------------------

    def _check_process(self) -> None:
        if os.getpid() != self._process:
            raise Closed("This producer was made in another process. Make one after the fork.")

    def _check_thread(self) -> None:
        if threading.current_thread() in self._threads:
            raise RelayError("A callback must not wait for the producer that has called it.")

    def _close_at_exit(self) -> None:
        with contextlib.suppress(RelayError):
            self.close(SECONDS_AT_EXIT)
