"""The channel table, seen from a listener: which channels are wanted, and which are ACTIVE.

All PostgreSQL of a listener, but for its leases, happens in this thread. When the
table cannot be read the listener goes on with the channels that it knows. Every
listener reads; what is ACTIVE and where the gaps are, the leader writes.
"""

import contextlib
import logging
import os
import queue
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from channels_app.listening.recording import unheard
from channels_app.listening.recording.jobs import Jobs, TableLook
from channels_app.listening.recording.ledger import Entry, Ledger, RowRefused
from channels_app.listening.recording.losses import GivenUp
from channels_app.listening.recording.notes import Note, Restored
from channels_app.listening.recording.statuses import Began, RowsHeard
from channels_app.models import Channel
from channels_app.validators import usable_policy
from leases_app.leasing import Term
from relaybase import logs
from relaycore.errors import one_line
from relaycore.policy import Policy

log = logging.getLogger(__name__)

# Of everything that is read of a row, and of what is visible. The newest of times, or of ids, would not do:
# both are given when a statement runs, and who commits late has an older one than what was seen. It takes
# 6.5 ms for 10,000 channels, 0.4 more than those.
_FINGERPRINT = """
SELECT count(*), sum(hashtextextended(deduplicate::text, hashtextextended(channel, life)))
FROM channels WHERE partition = %s AND listen
"""

_RETRY_SECONDS = 0.5
"""While gaps wait to be written: nothing is confirmed beyond them."""

_ENTRIES_AT_ONCE = 1000
"""What waits longer keeps the listener from confirming."""

_PARTING_SECONDS = 2.0
"""A thread that hangs on PostgreSQL for longer is left behind: stopping must not wait for it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel is wanted, under this policy. `row` is the life of it that its row is in."""

    channel: bytes
    policy: Policy
    row: int


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A channel is wanted no more."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class _Lead:
    """From here on this listener leads; without a term it leads no more."""

    term: Term | None = None
    restored: Restored | None = None


@dataclass(frozen=True, slots=True)
class _Unheard:
    """This listener finds that nobody hears: it leads in this term, or there is no leader.

    Up to `known_until` (ms since 1970) all is known.
    """

    term: Term | None
    known_until: int | None


_Job = _Lead | _Unheard | Entry


class Roster:
    """Reads the channel table for one partition, and writes for the leader what it finds out.

    `take` gives the main loop what has changed; `fileno` becomes readable when something is
    there.

    is_read: the table was read once, so that a new connection begins with all channels
    """

    def __init__(self, partition: int) -> None:
        self.is_read = False
        self._partition = partition
        self._collected = 0
        self._known: dict[str, Wanted] = {}
        self._fingerprint: object = None
        self._ledger = Ledger(partition)
        self._changes: queue.SimpleQueue[Wanted | Unwanted] = queue.SimpleQueue()
        self._jobs: Jobs[_Job] = Jobs()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = logs.thread(self._run, "roster")

    def __enter__(self) -> "Roster":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._jobs.close()
        self._thread.join(_PARTING_SECONDS)
        if not self._thread.is_alive():
            os.close(self._wake_read)
            os.close(self._wake_write)

    # --- called by the main loop -----------------------------------------------------

    def fileno(self) -> int:
        """For a selector."""
        return self._wake_read

    def take(self) -> list[Wanted | Unwanted]:
        """What has changed since the last call, in order."""
        try:
            os.read(self._wake_read, 4096)
        except BlockingIOError:
            return []
        taken = []
        while not self._changes.empty():
            taken.append(self._changes.get())
        return taken

    def look(self, name: str = "") -> None:
        """Look at this channel soon; at the whole table if the name is empty."""
        self._jobs.look(name)

    def hear(self, rows: Iterable[int], at: int) -> None:
        """Say that these rows are heard from there on (ms since 1970)."""
        self._jobs.put(RowsHeard(tuple(rows), at))

    def lead(self, term: Term, beginning: Began, forgotten: int = 0) -> None:
        """Write from now on, under this term, what was noted for it and what will be.

        `forgotten`: PostgreSQL went back from so many writes of the lease; 0: it did not.
        """
        restored = Restored(beginning.first, forgotten) if forgotten else None
        if restored is not None:
            self._ledger.expect()
        self._jobs.put(_Lead(term, restored))
        self._expect(beginning)
        self.hear(beginning.rows, beginning.first)

    def follow(self) -> None:
        """The term is over: what it has noted and PostgreSQL does not have, the next leader finds out."""
        self._jobs.put(_Lead())

    def refuse(self, row: int, why: str, since: int | None) -> None:
        """Say that Redis refuses the channel of this row; what was published from `since` on is a gap."""
        self._expect(RowRefused(row, why, since))

    def unheard(self, term: Term | None, known_until: int | None) -> None:
        """Say that the leader of this term hears nothing; None: that nobody leads whom this one hears.

        Up to `known_until` (ms since 1970) all is known.
        """
        self._jobs.put(_Unheard(term, known_until))

    def note(self, note: Note | GivenUp) -> None:
        """Write down something about a gap."""
        self._expect(note)

    @property
    def begun(self) -> int:
        """The epoch of the latest term of which the table says what is heard in it; 0: of none."""
        return self._ledger.begun

    @property
    def has_recorded_all(self) -> bool:
        """Whether PostgreSQL has everything that was noted of what was not heard."""
        return self._ledger.is_written

    def _expect(self, entry: Entry) -> None:
        self._ledger.expect()
        self._jobs.put(entry)

    # --- the thread ------------------------------------------------------------------

    def _run(self) -> None:
        refresh = settings.RELAY_LISTENER_REFRESH_SECONDS
        while job := self._jobs.take(min(refresh, _RETRY_SECONDS) if self._ledger else refresh):
            self._do(job)
        if self._ledger:
            self._do(TableLook())
        connection.close()

    def _do(self, job: TableLook | _Job) -> None:
        try:
            match job:
                case _Lead(term, restored):
                    if term is None:
                        self._ledger.follow()
                    else:
                        self._ledger.lead(term, restored)
                case _Unheard(term, known_until):
                    if term is None:
                        unheard.open_unproven(self._partition)
                    else:
                        unheard.open_for(term, known_until)
                case TableLook(names) if names:
                    self._compare(set(names), self._read(names))
                case TableLook():
                    self._look_at_all()
                case entry:
                    self._ledger.add(entry)
                    if self._is_more_to_write():
                        return
            self._ledger.write()
            self._collected = 0
        except DatabaseError as exc:
            # Nothing is lost: what is unwritten stays so, and the next look compares everything.
            connection.close()
            self._fingerprint = None
            log.warning("partition %d: the channel table cannot be used: %s", self._partition, one_line(exc))
        except Exception:
            # For example a name that PostgreSQL cannot even be asked for. Without this thread no
            # channel would ever be added or removed again.
            log.exception("partition %d: the channel table", self._partition)

    def _is_more_to_write(self) -> bool:
        """Whether an entry stands behind this one: many at once are written in few transactions."""
        self._collected = (self._collected + 1) % _ENTRIES_AT_ONCE
        return self._collected > 0 and isinstance(self._jobs.peek(), Entry)

    def _look_at_all(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(_FINGERPRINT, (self._partition,))
            fingerprint = cursor.fetchone()
        if fingerprint != self._fingerprint:
            self._compare(set(self._known), self._read())
            self._fingerprint = fingerprint
        if not self.is_read:
            self.is_read = True
            self._wake()

    def _read(self, names: tuple[str, ...] = ()) -> dict[str, Wanted]:
        rows = Channel.objects.listened().filter(partition=self._partition)
        if names:
            rows = rows.filter(channel__in=names)
        return {
            name: Wanted(name.encode(), usable_policy(name, deduplicate), row)
            for row, name, deduplicate in rows.values_list("life", "channel", "deduplicate")
        }

    def _compare(self, looked_at: set[str], found: dict[str, Wanted]) -> None:
        for name in looked_at - found.keys():
            if self._known.pop(name, None) is not None:
                self._changes.put(Unwanted(name.encode()))
        for name, wanted in found.items():
            if self._known.get(name) != wanted:
                self._known[name] = wanted
                self._changes.put(wanted)
        self._wake()

    def _wake(self) -> None:
        with contextlib.suppress(BlockingIOError):  # Full of earlier calls: it wakes anyway.
            os.write(self._wake_write, b"!")
