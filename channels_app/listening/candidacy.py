"""Claims the leadership of a partition beside the main loop, which never waits for PostgreSQL."""

import threading
import time

from django.db import Error as DatabaseError
from django.db import connection

from leases_app.leasing import Contender, Term
from leases_app.models import Lease
from relaybase import logs

_PATIENCE_SECONDS = 0.4
"""A claim takes some milliseconds. After this, PostgreSQL counts as away."""


class Candidacy:
    """One claim at a time: `begin` it, look at `is_over` or `is_overdue`, and `take` what came of it."""

    def __init__(self, contender: Contender, partition: int) -> None:
        self._contender = contender
        self._partition = partition
        self._thread: threading.Thread | None = None
        self._began_at = 0.0
        self._term: Term | None = None
        self._error: DatabaseError | None = None
        self._beyond: int | None = None
        self._above = 0

    @property
    def is_under_way(self) -> bool:
        """Whether there is a claim of which nobody has taken what came of it."""
        return self._thread is not None

    @property
    def is_over(self) -> bool:
        """Whether the outcome can be taken."""
        return self._thread is not None and not self._thread.is_alive()

    @property
    def is_overdue(self) -> bool:
        """Whether PostgreSQL takes so long that a leader is needed before it answers."""
        return self._thread is not None and time.monotonic() - self._began_at > _PATIENCE_SECONDS

    def begin(self, beyond: int | None, above: int) -> None:
        """Claim the lease if it is free, or of an epoch up to `beyond`; for an epoch above `above`.

        Without `beyond` nobody knows that its holder is gone. Then it is left if it has gone back.
        """
        if self._thread is None:
            self._beyond, self._above = beyond, above
            self._began_at = time.monotonic()
            self._thread = logs.thread(self._claim, "candidacy")
            self._thread.start()

    def take(self) -> Term | None:
        """The term that was won; None if somebody else has it.

        Raises:
            django.db.Error: PostgreSQL does not answer.
        """
        self._thread = None
        term, self._term = self._term, None
        error, self._error = self._error, None
        if error is not None:
            raise error
        return term

    def _claim(self) -> None:
        try:
            least = self._above if self._beyond is None else 0
            self._term = self._contender.claim(
                Lease.Role.LISTENER, self._partition, beyond=self._beyond, above=self._above, least=least
            )
        except DatabaseError as exc:
            self._error = exc
        finally:
            connection.close()
