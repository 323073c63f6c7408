"""Who has which key, from memory (`relaybase.postgres.remembering`).

With each key its grants and what its user may (`holders`). What changes them changes the mark
(`models.RightsMark`): so what is revoked is refused within a second.
A token's expiry needs no look: how much of its life was left, by PostgreSQL's clock, is counted
from before PostgreSQL was asked, so that it never lives longer here than there.

Who watches from a browser has a ticket or is logged in (`watching`): the same holds for both.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from django.db import Error as DatabaseError
from django.db import connection

from access_app import holders, tokens
from access_app.holders import Holder
from access_app.models import RightsMark
from access_app.watching import sessions, tickets
from relaybase.postgres.remembering import Remembering
from relaycore.errors import one_line

__all__ = ["Holder", "Remembered", "RememberedSessions", "RememberedTickets"]

log = logging.getLogger(__name__)


class RememberedHolders(Remembering[bytes, Holder]):
    """By keys of one kind, in one process. `known` and `find` may be called from any thread."""

    def known(self, key: str) -> Holder | None:
        """Who has this key, if that is remembered.

        Raises:
            Disconnected: for too long PostgreSQL has confirmed nothing.
        """
        return self.recall(self._named(key))

    async def find(self, key: str) -> Holder | None:
        """Who has this key, by PostgreSQL; remembered from now on.

        Raises:
            Disconnected: it does not answer.
        """
        return await self.learn(self._named(key))

    def _named(self, key: str) -> bytes:
        return tokens.digest_of(key)

    def _read_mark(self) -> object:
        return RightsMark.objects.values_list("mark", flat=True).first()

    def _is_over_for(self, value: Holder, now: float) -> bool:
        return now >= value.until


class RememberedTickets(RememberedHolders):
    """Who watches with which ticket."""

    subject: ClassVar[str] = "who has which ticket"
    thread: ClassVar[str] = "tickets"

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Holder]:
        return tickets.valid(keys, self._clock)


class RememberedSessions(RememberedHolders):
    """Who is logged in with which session."""

    subject: ClassVar[str] = "who is logged in"
    thread: ClassVar[str] = "sessions"

    def _named(self, key: str) -> bytes:
        return key.encode()

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Holder]:
        return sessions.valid(keys)


class Remembered(RememberedHolders):
    """Who has which token."""

    subject: ClassVar[str] = "who has which token"
    thread: ClassVar[str] = "rights"

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(clock)
        self._used: set[int] = set()
        self._noted_at = -float("inf")

    def _read(self, keys: Sequence[bytes]) -> dict[bytes, Holder]:
        """Those of them that are valid."""
        return holders.valid(keys, self._clock)

    def _recalled(self, value: Holder) -> None:
        self._used.add(value.id)

    def _looked(self, began: float) -> None:
        if began - self._noted_at < tokens.USED_EVERY.total_seconds():
            return
        self._noted_at = began
        with self._lock:
            used, self._used = self._used, set()
        _note_use(used)

    def _learned(self, found: Mapping[bytes, Holder]) -> None:
        _note_use({holder.id for holder in found.values()})


def _note_use(ids: set[int]) -> None:
    """Whether it can be noted is not what lets somebody in."""
    if not ids:
        return
    try:
        tokens.note_use(ids)
    except DatabaseError as exc:
        connection.close()
        log.warning("it cannot be noted which tokens are used: %s", one_line(exc))
