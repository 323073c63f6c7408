"""Keeps a term alive from a thread of its own."""

import logging
import threading
import time
from collections.abc import Callable

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from leases_app import sleepless
from leases_app.leasing import Condition, Term
from relaybase import logs
from relaycore.errors import LeaseLost, LeaseWentBack, one_line
from relaycore.leasing.confirming import Confirmed

log = logging.getLogger(__name__)

_PARTING_SECONDS = 2.0

_LEAST_SECONDS = 0.1
"""Between two beats, however often one is asked for."""


class Heartbeat:
    """Renews a term every `RELAY_LEASE_HEARTBEAT_SECONDS` until it is closed or the term is lost.

    A context manager: it begins to beat on entry, and releases the term on exit. All its
    PostgreSQL happens in its thread, so that neither the work nor the exit waits for it.

    `condition` is asked in that thread, right before each beat: how the holder is. It must
    not wait, and not fail: a term whose holder cannot say that is lost.

    If the lease went back with PostgreSQL, the term is written again. Unless it `begins_anew`: then it
    is lost, and `went_back`; whoever leads is to claim another term, and to say in it what was forgotten.

    lost:              nobody renews the term any more; the loop that works under it looks here
    went_back:         it is, and nobody else need have the lease: it has forgotten the term
    unconfirmed_since: monotonic seconds, while PostgreSQL does not answer
    confirmed:         until when nobody else can have the lease, by what PostgreSQL has acknowledged
    """

    def __init__(
        self, term: Term, condition: Callable[[], Condition] | None = None, *, begins_anew: bool = False
    ) -> None:
        self.term = term
        self.lost = self.went_back = False
        self._begins_anew = begins_anew
        self.unconfirmed_since: float | None = None
        self.confirmed = Confirmed(settings.RELAY_LEASE_TTL_SECONDS)
        self._given_up = 0
        self._releases = True
        self._condition = condition or Condition
        self._closed = threading.Event()
        self._asked = threading.Event()
        self._thread = logs.thread(self._run, "heartbeat")

    def __enter__(self) -> "Heartbeat":
        self.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def start(self) -> None:
        """Begin to beat."""
        self._thread.start()

    def close(self) -> None:
        """End, and wait a moment for the release."""
        self.end()
        self._thread.join(_PARTING_SECONDS)
        if self._thread.is_alive():
            log.warning("%s: PostgreSQL hangs. The lease is not released, it lapses.", self.term)

    def end(self, *, release: bool = True) -> None:
        """Beat no more, without waiting for it. A term that is not released lapses, or is taken over."""
        self._releases = release
        self._closed.set()
        self._asked.set()

    def beat_soon(self) -> None:
        """Say now how the holder is: something has changed that operators should see at once."""
        self._asked.set()

    def give_up(self, messages: int) -> None:
        """Report messages that were heard and had to be let go. For one thread: the one that works."""
        self._given_up += messages

    def _run(self) -> None:
        try:
            while not self._is_closed_before_the_next():
                self._beat()
            self._release()
        except LeaseWentBack as exc:
            self.went_back = True
            log.error("%s", exc)
        except LeaseLost as exc:
            # Who hands over on purpose finds the next one's term: that is how it should be, many times a day.
            log.log(logging.INFO if self._closed.is_set() else logging.WARNING, "%s", exc)
        finally:
            # Whatever ended the thread: a term that nobody renews must not be worked under.
            self.lost = True
            self.confirmed.end()
            connection.close()

    def _is_closed_before_the_next(self) -> bool:
        seconds = settings.RELAY_LEASE_HEARTBEAT_SECONDS
        least = min(_LEAST_SECONDS, seconds)
        self._closed.wait(least)
        self._asked.wait(seconds - least)
        self._asked.clear()
        return self._closed.is_set()

    def _beat(self) -> None:
        # Before it is sent: how long it takes to arrive, and its answer to come back, nobody knows.
        asked_at = sleepless.seconds()
        try:
            self._renew()
        except DatabaseError as exc:
            self._doubt(exc)
            return
        self.confirmed.confirm(asked_at)
        if self.unconfirmed_since is not None:
            self.unconfirmed_since = None
            log.info("%s: the term is confirmed again", self.term)

    def _renew(self) -> None:
        try:
            self.term.renew(self._given_up, self._condition())
        except LeaseWentBack as exc:
            if self._begins_anew or not self.term.regain():
                raise
            # Whoever was given it in between learns that it is lost at his next renewal, and not before.
            self.confirmed.withdraw(sleepless.seconds())
            log.error("%s It is written again.", exc)

    def _doubt(self, exc: DatabaseError) -> None:
        connection.close()  # The next beat begins with a new one.
        if self.unconfirmed_since is None:
            self.unconfirmed_since = time.monotonic()
            log.warning(
                "%s: PostgreSQL does not answer, the term is unconfirmed: %s", self.term, one_line(exc)
            )

    def _release(self) -> None:
        try:
            self.term.renew(self._given_up, self._condition())
            if self._releases:
                self.term.release()
        except DatabaseError as exc:
            log.warning("%s: not released, it lapses: %s", self.term, one_line(exc))
