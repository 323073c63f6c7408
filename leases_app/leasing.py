"""Claiming, renewing and releasing a lease: each one conditional UPDATE."""

import os
import socket
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import Exists, F, Q
from django.db.models.functions import Greatest

from leases_app.models import Lease, LeaseQuerySet, share_of
from relaybase.postgres.clock import ClockTimestamp
from relaycore.errors import LeaseLost, LeaseWentBack

# Written out: each term is renewed once a second, and making this from a query set takes 0.8 of the 1.3 ms
# of CPU that a renewal costs an idle process.
_RENEW: Final = """
UPDATE leases SET heartbeat_at = clock_timestamp(), given_up = %s, waiting = %s, trouble = %s,
  is_protected = %s, heard_at = GREATEST(
    CASE WHEN heard_at <= clock_timestamp() THEN heard_at END,
    clock_timestamp() - make_interval(secs => %s)
  ), known_until = COALESCE(%s, known_until), appended = GREATEST(appended, %s), writes = writes + 1
WHERE role = %s AND partition = %s AND slot = %s AND epoch = %s AND holder = %s AND writes >= %s
RETURNING writes
"""

_HOLD: Final = """
UPDATE leases SET writes = writes + 1
WHERE role = %s AND partition = %s AND slot = %s AND epoch = %s AND holder = %s AND writes >= %s
RETURNING writes
"""

_TROUBLE_CHARACTERS: Final = 500

_LONGEST_HOLD_MS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Condition:
    """How the holder of a lease is.

    heard_seconds_ago: since it last proved that it hears; None: it has not, or is not there to hear
    waiting:           messages in its memory that are not on the stream, or not stored, yet
    trouble:           what it cannot do, in one sentence; empty: nothing
    known_until:       `Lease.known_until`; None: it has nothing newer to say
    is_protected:      whether a standby has proved that it would take over; None: not said
    appended:          `Lease.appended`; 0: not known
    """

    heard_seconds_ago: float | None = None
    waiting: int = 0
    trouble: str = ""
    known_until: datetime | None = None
    is_protected: bool | None = None
    appended: int = 0


_SOUND: Final = Condition()


class Acknowledged:
    """What PostgreSQL has acknowledged of one lease to its holder, to any of its threads.

    writes:    `Lease.writes` is at least that, or PostgreSQL went back
    forgotten: so many times it was found to have gone back
    """

    def __init__(self, writes: int = 0) -> None:
        self.writes = writes
        self.forgotten = 0

    def learn(self, writes: int) -> None:
        """So much is committed."""
        self.writes = max(self.writes, writes)


@dataclass(frozen=True, slots=True)
class Term:
    """A lease that was claimed: a role, a partition, a slot, the epoch and its holder.

    given_up_before: messages that earlier terms had to give up
    known_before:    what the lease said as `known_until` when it was claimed
    task_id:         of the holder; empty in the foreground
    writes_before:   what it said as `writes`
    appended_before: what it said as `appended`
    acknowledged:    what PostgreSQL has acknowledged since
    """

    role: str
    partition: int
    epoch: int
    holder: str
    given_up_before: int = 0
    slot: int = 0
    known_before: datetime | None = None
    task_id: str = ""
    writes_before: int = 0
    appended_before: int = 0
    acknowledged: Acknowledged = field(default_factory=Acknowledged, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.role} of {share_of(self.role)} {self.partition}, epoch {self.epoch}"

    def _key(self) -> tuple[str, int, int, int, str, int]:
        return self.role, self.partition, self.slot, self.epoch, self.holder, self.acknowledged.writes

    def _leases(self) -> LeaseQuerySet:
        return Lease.objects.filter(role=self.role, partition=self.partition, slot=self.slot)

    def _row(self) -> LeaseQuerySet:
        of_the_term = self._leases().filter(epoch=self.epoch, holder=self.holder)
        return of_the_term.filter(writes__gte=self.acknowledged.writes)

    def holds(self) -> Exists:
        """As a condition of another statement: this term is the current one when it begins."""
        return Exists(self._row())

    def hold(self) -> bool:
        """Keep the term from ending until this transaction is over; False if it is over, or was forgotten.

        Whoever would claim the lease waits meanwhile. A process that is frozen right now loses its
        transaction soon, so that nobody waits for it. What the transaction writes counts as a write of the
        lease: if PostgreSQL loses it again, that shows.
        """
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL idle_in_transaction_session_timeout = {_LONGEST_HOLD_MS}")
            cursor.execute(_HOLD, self._key())
            held = cursor.fetchone()
        if held is not None:
            transaction.on_commit(partial(self.acknowledged.learn, held[0]))
        return held is not None

    def renew(self, given_up: int, condition: Condition = _SOUND) -> None:
        """Say that the holder lives, how it is, and how many messages it had to give up in this term.

        What was proved before stays proved; a proof from the future is forgotten.

        Raises:
            LeaseWentBack: the lease is of an earlier term or moment, or gone: PostgreSQL went back.
            LeaseLost: somebody else holds the lease now.
        """
        # The total, not what is new: a renewal whose answer was lost is sent again, and must not count twice.
        total = self.given_up_before + given_up
        trouble = storable(condition.trouble)
        how = (condition.waiting, trouble, condition.is_protected)
        proof = (condition.heard_seconds_ago, condition.known_until, condition.appended)
        with connection.cursor() as cursor:
            cursor.execute(_RENEW, (total, *how, *proof, *self._key()))
            renewed = cursor.fetchone()
        if renewed is not None:
            self.acknowledged.learn(renewed[0])
        elif (
            self._leases()
            .filter(Q(epoch__gt=self.epoch) | Q(epoch=self.epoch) & ~Q(holder=self.holder))
            .exists()
        ):
            raise LeaseLost(f"{self}: the term is over.")
        else:
            raise LeaseWentBack(f"{self}: PostgreSQL went back, the lease has forgotten the term.")

    def regain(self) -> bool:
        """Write the term again into a lease that has gone back to an earlier one; False if somebody is ahead.

        The term is the same: whoever has claimed the lease meanwhile, below its epoch, has lost it.
        """
        Lease.objects.get_or_create(role=self.role, partition=self.partition, slot=self.slot)
        writes = self.acknowledged.writes
        older = self._leases().filter(
            Q(epoch__lt=self.epoch) | Q(epoch=self.epoch, holder=self.holder, writes__lt=writes)
        )
        mine = _held_by(self.holder, self.task_id)
        regained = bool(older.update(epoch=self.epoch, writes=Greatest(F("writes"), writes), **mine))
        self.acknowledged.forgotten += regained
        return regained

    def release(self) -> bool:
        """End the term; False if it was over already."""
        ended = self._row().update(
            holder="", heartbeat_at=ClockTimestamp(), waiting=0, trouble="", is_protected=None
        )
        return bool(ended)


@dataclass(frozen=True, slots=True)
class Contender:
    """A process that wants a lease. `task_id` is empty in the foreground."""

    task_id: str = ""
    name: str = field(default_factory=lambda: uuid.uuid4().hex)

    def claim(
        self,
        role: str,
        partition: int,
        slot: int = 0,
        *,
        beyond: int | None = None,
        above: int = 0,
        least: int = 0,
    ) -> Term | None:
        """Take the lease if it is free; None if somebody holds it or was quicker.

        `beyond`: take it as well if its epoch is this one or an earlier one, although it is not free:
        who held it then is known to be gone. `above`: the highest epoch that is known elsewhere. The new one
        is above it and above the lease's, which may have gone back with PostgreSQL. `least`: leave it if its
        epoch is below this one: it has gone back, and that it looks free says nothing.
        """
        Lease.objects.get_or_create(role=role, partition=partition, slot=slot)
        claimable = Lease.objects.filter(role=role, partition=partition, slot=slot)
        claimable = claimable.free() if beyond is None else claimable.free(or_up_to=beyond)
        seen = claimable.filter(epoch__gte=least).values_list("pk", "epoch", "given_up").first()
        if seen is None:
            return None
        row, epoch, given_up = seen
        # Any claim in between has raised the epoch. A renewal in between has not (the holder had only
        # let the lease lapse), so the row must still be claimable as well.
        new = max(epoch, above) + 1
        won = claimable.filter(epoch=epoch, given_up=given_up).update(
            epoch=new, writes=F("writes") + 1, **_held_by(self.name, self.task_id)
        )
        # Read now: whoever held it may have written until the claim, and nobody else does from there on.
        mine = Lease.objects.filter(pk=row, epoch=new, holder=self.name)
        now = mine.values_list("known_until", "writes", "appended").first() if won else None
        if now is None:
            return None
        known_until, writes, appended = now
        return Term(
            *(role, partition, new, self.name, given_up, slot, known_until, self.task_id),
            writes_before=writes - 1,
            appended_before=appended,
            acknowledged=Acknowledged(writes),
        )

    def take_seat(self, partition: int, seats: int) -> Term | None:
        """One of the seats for listeners of a partition; None if all are taken."""
        for slot in range(seats):
            if term := self.claim(Lease.Role.SEAT, partition, slot):
                return term
        return None


@dataclass(frozen=True, slots=True)
class Held:
    """The leases that were held at one moment: role, partition and slot of each.

    Whoever proposes asks for several roles, and every few seconds: it is one look at the table.
    """

    leases: frozenset[tuple[str, int, int]]

    @classmethod
    def now(cls) -> "Held":
        """What the table says."""
        return cls(frozenset(Lease.objects.live().values_list("role", "partition", "slot")))

    def lacking(self, role: str, partitions: set[int]) -> set[int]:
        """Those of `partitions` whose lease for `role` nobody holds."""
        return {partition for partition in partitions if (role, partition, 0) not in self.leases}

    def vacancies(self, partitions: set[int], seats: int) -> dict[int, int]:
        """How many seats for listeners nobody holds, by partition; only where there are any."""
        vacant = {
            partition: sum((Lease.Role.SEAT, partition, slot) not in self.leases for slot in range(seats))
            for partition in partitions
        }
        return {partition: count for partition, count in vacant.items() if count}


def _held_by(holder: str, task_id: str) -> dict[str, Any]:
    """What a lease says as soon as this process holds it."""
    return {
        "holder": holder,
        "host": socket.gethostname()[:255],
        "pid": os.getpid(),
        "task_id": task_id,
        "claimed_at": ClockTimestamp(),
        "heartbeat_at": ClockTimestamp(),
        "waiting": 0,
        "trouble": "",
        "is_protected": None,
    }


def prefers_elsewhere(partition: int) -> bool:
    """Whether another listener of this partition is on this host, and some listener is on another one."""
    live = Lease.objects.live().filter(role=Lease.Role.SEAT)
    here = socket.gethostname()[:255]
    return live.filter(partition=partition, host=here).exists() and live.exclude(host=here).exists()


def storable(text: str) -> str:
    """What a server has said, as PostgreSQL takes it: there may be anything in it, and much of it."""
    return text.replace("\0", "?").encode(errors="replace").decode()[:_TROUBLE_CHARACTERS]
