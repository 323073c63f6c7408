"""The channel table, seen from a listener: which channels are wanted, and which are ACTIVE.

All PostgreSQL of a listener, but for its leases, happens in this thread. When the
table cannot be read the listener goes on with the channels that it knows. Every
listener reads; what is ACTIVE and where the gaps are, the leader writes.
"""

import contextlib
import logging
import os
import queue
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Count, Max

from channels_app import unheard
from channels_app.listening.gaps import Covered, Ended, Note, Notes, Opened, end_late
from channels_app.listening.gaps import write as write_note
from channels_app.listening.jobs import Jobs, Look
from channels_app.models import Channel, Gap
from leases_app.leasing import Term
from leases_app.models import ClockTimestamp
from relaycore.batching import batched
from relaycore.errors import BadPolicy, one_line
from relaycore.policy import Policy, parse
from relayproject import logs

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1000
_RETRY_SECONDS = 0.5
"""While gaps wait to be written: nothing is confirmed beyond them."""

_PARTING_SECONDS = 2.0
"""A thread that hangs on PostgreSQL for longer is left behind: stopping must not wait for it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A channel is wanted, under this policy. `row` is its id: another one is another life."""

    channel: bytes
    policy: Policy
    row: int


@dataclass(frozen=True, slots=True)
class Unwanted:
    """A channel is wanted no more."""

    channel: bytes


@dataclass(frozen=True, slots=True)
class _Report:
    """These rows are heard now, or are not."""

    rows: tuple[int, ...]
    heard: bool


@dataclass(frozen=True, slots=True)
class _Lead:
    """From here on this listener leads, and hears these rows; without a term it leads no more.

    `since` (ms since 1970): it has taken over without a gap from a leader that had confirmed
    everything up to there. None: it has not.
    """

    term: Term | None = None
    rows: tuple[int, ...] = ()
    since: int | None = None


@dataclass(frozen=True, slots=True)
class _Refused:
    """Redis refuses the channel of this row, and says why. Before `since` (ms since 1970) it was heard."""

    row: int
    why: str
    since: int | None


@dataclass(frozen=True, slots=True)
class _Unheard:
    """The leader of this term finds that it hears nothing, perhaps before anything else is known of it."""

    term: Term


_Job = _Report | _Lead | _Refused | _Unheard | Note


class Roster:
    """Reads the channel table for one partition, and writes for the leader what it finds out.

    `take` gives the main loop what has changed; `fileno` becomes readable when something is
    there.

    is_read:   the table was read once, so that a new connection begins with all channels
    has_begun: the table says what is heard in the term that goes on, and nothing of an earlier one
    """

    def __init__(self, partition: int) -> None:
        self.is_read = False
        self.has_begun = False
        self._partition = partition
        self._term: Term | None = None
        self._known: dict[str, Wanted] = {}
        self._fingerprint: object = None
        self._unwritten: dict[int, bool] = {}
        self._notes = Notes(partition)
        self._beginning: _Lead | None = None
        self._refused: dict[int, _Refused] = {}
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

    def report(self, rows: Iterable[int], *, heard: bool) -> None:
        """Say that these rows are heard now, or that they are not."""
        self._jobs.put(_Report(tuple(rows), heard))

    def lead(self, term: Term, rows: Iterable[int], since: int | None) -> None:
        """Write from now on, under this term. These rows are heard.

        `since`: what the leader before has heard beside them is a gap from there on (ms since 1970).
        """
        self._jobs.put(_Lead(term, tuple(rows), since))

    def follow(self) -> None:
        """Write statuses no more."""
        self.has_begun = False
        self._jobs.put(_Lead())

    def refuse(self, row: int, why: str, since: int | None) -> None:
        """Say that Redis refuses the channel of this row; what was published from `since` on is a gap."""
        self._jobs.put(_Refused(row, why, since))

    def unheard(self, term: Term) -> None:
        """Say that the leader of this term hears nothing."""
        self._jobs.put(_Unheard(term))

    def note(self, note: Note) -> None:
        """Write down something about a gap."""
        self._notes.expect()
        self._jobs.put(note)

    @property
    def has_recorded_all(self) -> bool:
        """Whether PostgreSQL has every note."""
        return self._notes.are_written

    # --- the thread ------------------------------------------------------------------

    def _run(self) -> None:
        refresh = settings.RELAY_LISTENER_REFRESH_SECONDS
        while job := self._jobs.take(min(refresh, _RETRY_SECONDS) if self._notes else refresh):
            self._do(job)
        if self._notes:
            self._do(Look())
        connection.close()

    def _do(self, job: Look | _Job) -> None:
        try:
            match job:
                case _Report(rows, heard):
                    self._unwritten.update(dict.fromkeys(rows, heard))
                case _Lead(term):
                    self._term = term
                    self._beginning = None if term is None else job
                    self._unwritten.clear()
                    self._refused.clear()
                case _Refused(row):
                    self._unwritten[row] = False
                    self._refused[row] = job
                case _Unheard(term):
                    unheard.open_for(term)
                case Look(names) if names:
                    self._compare(set(names), self._read(names))
                case Look():
                    self._look_at_all()
                case note:
                    self._notes.add(note)
            self._write()
        except DatabaseError as exc:
            # Nothing is lost: what is unwritten stays so, and the next look compares everything.
            connection.close()
            self._fingerprint = None
            log.warning("partition %d: the channel table cannot be used: %s", self._partition, one_line(exc))
        except Exception:
            # For example a name that PostgreSQL cannot even be asked for. Without this thread no
            # channel would ever be added or removed again.
            log.exception("partition %d: the channel table", self._partition)

    def _look_at_all(self) -> None:
        rows = Channel.objects.filter(partition=self._partition)
        # Additions, removals and changes all show in one of the three, so a full read is rare.
        fingerprint = rows.aggregate(n=Count("id"), newest=Max("id"), changed=Max("updated_at"))
        if fingerprint != self._fingerprint:
            self._compare(set(self._known), self._read())
            self._fingerprint = fingerprint
        if not self.is_read:
            self.is_read = True
            self._wake()

    def _read(self, names: tuple[str, ...] = ()) -> dict[str, Wanted]:
        rows = Channel.objects.filter(partition=self._partition)
        if names:
            rows = rows.filter(channel__in=names)
        return {
            name: Wanted(name.encode(), _policy(name, deduplicate), row)
            for row, name, deduplicate in rows.values_list("id", "channel", "deduplicate")
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

    def _write(self) -> None:
        self._notes.write()
        if self._term is None:
            return
        if self._beginning is not None:
            self._begin(self._term, self._beginning)
            self._beginning = None
            self.has_begun = True
        self._write_statuses(self._term)
        while self._refused:
            row, refused = next(iter(self._refused.items()))
            unheard.refuse(self._term, {row: refused.why}, refused.since)
            del self._refused[row]

    def _begin(self, term: Term, beginning: _Lead) -> None:
        """What another term said of channels that are not heard in this one holds no more."""
        # The leader has noted what was missed. What is still open was opened by others meanwhile.
        write_note(Ended() if beginning.since is None else Covered(), self._partition)
        heard = set(beginning.rows)
        active = Channel.objects.filter(
            partition=self._partition, subscription_status=Channel.Status.ACTIVE
        ).values_list("id", "channel")
        unheard = {row: name for row, name in active if row not in heard}
        if beginning.since is not None:
            for name in unheard.values():
                write_note(Opened(beginning.since, Gap.Cause.LATE, name), self._partition)
        for rows in batched(unheard, _ROWS_AT_ONCE):
            self._set_status(term, rows, heard=False)
        self._unwritten = dict.fromkeys(beginning.rows, True) | self._unwritten

    def _write_statuses(self, term: Term) -> None:
        for heard in (False, True):
            rows = [row for row, now in self._unwritten.items() if now is heard]
            for written in batched(rows, _ROWS_AT_ONCE):
                self._set_status(term, written, heard=heard)
                for row in written:
                    del self._unwritten[row]

    def _set_status(self, term: Term, rows: Collection[int], *, heard: bool) -> None:
        status = Channel.Status.ACTIVE if heard else Channel.Status.INACTIVE
        Channel.objects.filter(term.holds(), id__in=rows).exclude(subscription_status=status).update(
            subscription_status=status,
            active_since=ClockTimestamp() if heard else None,
            **({"refusal": ""} if heard else {}),
            updated_at=ClockTimestamp(),
        )
        if heard:
            names = Channel.objects.filter(id__in=rows).values("channel")
            end_late(Gap.objects.filter(partition=self._partition, channel__in=names))


def _policy(name: str, value: object) -> Policy:
    try:
        return parse(value)
    except BadPolicy as exc:
        # The API and the admin refuse such a value; somebody wrote it into the table by hand.
        log.error(
            'channel %r: %s It is relayed under "content" until then.', name, exc, extra={"channel": name}
        )
        return Policy()
