"""The channel table, seen from a listener: which channels are wanted, and which are ACTIVE.

All PostgreSQL of a listener, but for the heartbeat, happens in this thread. When the
table cannot be read the listener goes on with the channels that it knows.
"""

import contextlib
import logging
import os
import queue
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.db.models import Count, Max, QuerySet

from channels_app.models import Channel
from leases_app.leasing import Term
from leases_app.models import ClockTimestamp
from relaycore.errors import BadPolicy
from relaycore.policy import Policy, parse

log = logging.getLogger(__name__)

_ROWS_AT_ONCE = 1000
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
class _Look:
    """Look at these channels; at the whole table if there are none."""

    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Report:
    """These rows are heard now, or are not."""

    rows: tuple[int, ...]
    heard: bool


class Roster:
    """Reads the channel table for one partition and writes the status of its rows.

    `changes` is what the main loop takes; `fileno` becomes readable when something is there.
    """

    def __init__(self, term: Term) -> None:
        self._term = term
        self._known: dict[str, Wanted] = {}
        self._fingerprint: object = None
        self._unwritten: dict[int, bool] = {}
        self._changes: queue.SimpleQueue[Wanted | Unwanted] = queue.SimpleQueue()
        self._jobs: queue.SimpleQueue[_Look | _Report | None] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)
        self._thread = threading.Thread(target=self._run, name="roster", daemon=True)

    def __enter__(self) -> "Roster":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._jobs.put(None)
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

    def look(self, names: Iterable[str] = ()) -> None:
        """Look at these channels soon; at the whole table if none is named."""
        self._jobs.put(_Look(tuple(names)))

    def report(self, rows: Iterable[int], *, heard: bool) -> None:
        """Say that these rows are heard now, or that they are not."""
        self._jobs.put(_Report(tuple(rows), heard))

    # --- the thread ------------------------------------------------------------------

    def _run(self) -> None:
        self._do(None)
        while True:
            try:
                job: _Look | _Report | None = self._jobs.get(timeout=settings.RELAY_LISTENER_REFRESH_SECONDS)
            except queue.Empty:
                job = _Look()
            if job is None:
                break
            self._do(job)
        connection.close()

    def _do(self, job: _Look | _Report | None) -> None:
        """One job; None is the first one of the term."""
        if isinstance(job, _Report):
            self._unwritten.update(dict.fromkeys(job.rows, job.heard))
        try:
            if job is None:
                self._disown()
                self._look_at_all()
            elif isinstance(job, _Look) and job.names:
                self._compare(set(job.names), self._read(job.names))
            elif not isinstance(job, _Report):
                self._look_at_all()
            self._write_statuses()
        except DatabaseError as exc:
            # Nothing is lost: statuses stay unwritten, and the next look compares everything.
            connection.close()
            self._fingerprint = None
            log.warning(
                "partition %d: the channel table cannot be used: %s", self._term.partition, _line(exc)
            )

    def _look_at_all(self) -> None:
        rows = Channel.objects.filter(partition=self._term.partition)
        # Additions, removals and changes all show in one of the three, so a full read is rare.
        fingerprint = rows.aggregate(n=Count("id"), newest=Max("id"), changed=Max("updated_at"))
        if fingerprint != self._fingerprint:
            self._compare(set(self._known), self._read())
            self._fingerprint = fingerprint

    def _read(self, names: tuple[str, ...] = ()) -> dict[str, Wanted]:
        rows = Channel.objects.filter(partition=self._term.partition)
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
        with contextlib.suppress(BlockingIOError):  # Full of earlier calls: it wakes anyway.
            os.write(self._wake_write, b"!")

    def _disown(self) -> None:
        """What another term said of its channels does not hold in this one."""
        self._set_status(Channel.objects.filter(partition=self._term.partition), heard=False)

    def _write_statuses(self) -> None:
        for heard in (False, True):
            rows = [row for row, now in self._unwritten.items() if now is heard]
            for at in range(0, len(rows), _ROWS_AT_ONCE):
                written = rows[at : at + _ROWS_AT_ONCE]
                self._set_status(Channel.objects.filter(id__in=written), heard=heard)
                for row in written:
                    del self._unwritten[row]

    def _set_status(self, rows: QuerySet[Channel], *, heard: bool) -> None:
        status = Channel.Status.ACTIVE if heard else Channel.Status.INACTIVE
        rows.filter(self._term.holds()).exclude(subscription_status=status).update(
            subscription_status=status,
            active_since=ClockTimestamp() if heard else None,
            updated_at=ClockTimestamp(),
        )


def _policy(name: str, value: object) -> Policy:
    try:
        return parse(value)
    except BadPolicy as exc:
        # The API and the admin refuse such a value; somebody wrote it into the table by hand.
        log.error('channel %r: %s It is relayed under "content" until then.', name, exc)
        return Policy()


def _line(exc: Exception) -> str:
    return " ".join(str(exc).split()) or type(exc).__name__
