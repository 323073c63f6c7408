"""Keeps a term alive from a thread of its own."""

import logging
import threading
import time

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from leases_app.leasing import Term
from relaycore.errors import LeaseLost

log = logging.getLogger(__name__)

_PARTING_SECONDS = 2.0


class Heartbeat:
    """Renews a term every second until it is closed or the term is lost.

    A context manager: it begins to beat on entry, and releases the term on exit. `lost`
    is read by the loop that works under the term.
    """

    def __init__(self, term: Term) -> None:
        self.term = term
        self.lost = False
        self.unconfirmed_since: float | None = None
        self._given_up = 0
        self._counting = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closed.set()
        self._thread.join(_PARTING_SECONDS)
        if self._thread.is_alive():
            return  # It hangs on PostgreSQL, and so would a release: the lease lapses.
        try:
            self._renew()
            self.term.release()
        except (DatabaseError, LeaseLost) as exc:
            log.warning("%s %d: not released, it lapses: %s", self.term.role, self.term.partition, exc)
        finally:
            connection.close()

    def give_up(self, messages: int) -> None:
        """Report messages that were heard and had to be let go."""
        with self._counting:
            self._given_up += messages

    def _beat(self) -> None:
        while not self._closed.wait(settings.RELAY_LEASE_HEARTBEAT_SECONDS):
            try:
                self._renew()
            except LeaseLost as exc:
                log.warning("%s", exc)
                self.lost = True
                break
            except DatabaseError as exc:
                self._doubt(exc)
        connection.close()

    def _renew(self) -> None:
        with self._counting:
            reported = self._given_up
        self.term.renew(reported)
        with self._counting:
            self._given_up -= reported
        if self.unconfirmed_since is not None:
            self.unconfirmed_since = None
            log.info("%s %d: the term is confirmed again", self.term.role, self.term.partition)

    def _doubt(self, exc: DatabaseError) -> None:
        connection.close()  # The next beat begins with a new one.
        if self.unconfirmed_since is None:
            self.unconfirmed_since = time.monotonic()
            log.warning(
                "%s %d: PostgreSQL does not answer, the term is unconfirmed: %s",
                self.term.role,
                self.term.partition,
                str(exc).strip() or type(exc).__name__,
            )
