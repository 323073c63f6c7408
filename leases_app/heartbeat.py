"""Keeps a term alive from a thread of its own."""

import logging
import threading
import time

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from leases_app.leasing import Term
from relaycore.errors import LeaseLost, one_line
from relayproject import logs

log = logging.getLogger(__name__)

_PARTING_SECONDS = 2.0


class Heartbeat:
    """Renews a term every `RELAY_LEASE_HEARTBEAT_SECONDS` until it is closed or the term is lost.

    A context manager: it begins to beat on entry, and releases the term on exit. All its
    PostgreSQL happens in its thread, so that neither the work nor the exit waits for it.

    lost:              nobody renews the term any more; the loop that works under it looks here
    unconfirmed_since: monotonic seconds, while PostgreSQL does not answer
    """

    def __init__(self, term: Term) -> None:
        self.term = term
        self.lost = False
        self.unconfirmed_since: float | None = None
        self._given_up = 0
        self._releases = True
        self._closed = threading.Event()
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

    def give_up(self, messages: int) -> None:
        """Report messages that were heard and had to be let go. For one thread: the one that works."""
        self._given_up += messages

    def _run(self) -> None:
        try:
            while not self._closed.wait(settings.RELAY_LEASE_HEARTBEAT_SECONDS):
                self._beat()
            self._release()
        except LeaseLost as exc:
            log.warning("%s", exc)
        finally:
            # Whatever ended the thread: a term that nobody renews must not be worked under.
            self.lost = True
            connection.close()

    def _beat(self) -> None:
        try:
            self.term.renew(self._given_up)
        except DatabaseError as exc:
            self._doubt(exc)
            return
        if self.unconfirmed_since is not None:
            self.unconfirmed_since = None
            log.info("%s: the term is confirmed again", self.term)

    def _doubt(self, exc: DatabaseError) -> None:
        connection.close()  # The next beat begins with a new one.
        if self.unconfirmed_since is None:
            self.unconfirmed_since = time.monotonic()
            log.warning(
                "%s: PostgreSQL does not answer, the term is unconfirmed: %s", self.term, one_line(exc)
            )

    def _release(self) -> None:
        try:
            self.term.renew(self._given_up)
            if self._releases:
                self.term.release()
        except DatabaseError as exc:
            log.warning("%s: not released, it lapses: %s", self.term, one_line(exc))
