"""What the home page says, read from the three servers."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db.models import Count
from pymongo.errors import PyMongoError

from channels_app import report
from channels_app.models import Channel, Gap
from leases_app import deployment, partitioning
from leases_app.leasing import Held
from leases_app.models import Lease
from messages_app.models import Quarantined
from messages_app.searching import backlog
from relaycore.errors import one_line
from relayproject import journal, rates
from relayproject.connections import mongo_collection

log = logging.getLogger(__name__)

T = TypeVar("T")

RANGES: Final = {"minutes": (5, 120), "hours": (60, 180), "day": (60, 1440)}
"""What the chart can show → seconds of a slot, number of slots."""

_SHOWN: Final = 8
"""So many rows of each list; the whole is one click away."""

_AWAY: Final = {
    "PostgreSQL": DatabaseError,
    "Redis": redis.RedisError,
    "MongoDB": (PyMongoError, DatabaseError),
}


@dataclass(slots=True)
class Facts:
    """What is None could not be read. `away`: server → why.

    silent:   (channel, why it is not heard), some of them
    misfit:   why nothing may work: the settings are not those of the deployment
    unled:    sentences on partitions that lack a loop
    waiting:  entries on all streams; `lag_seconds` is the age of the oldest
    """

    away: dict[str, str] = field(default_factory=dict)
    channels: int | None = None
    active: int = 0
    silent: list[tuple[Channel, str]] = field(default_factory=list)
    leases: list[Lease] = field(default_factory=list)
    misfit: str | None = None
    unled: list[str] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    waiting: int | None = None
    lag_seconds: float = 0.0
    minute: rates.Count | None = None
    hour: int = 0
    quarantined: int | None = None
    latest: list[Quarantined] = field(default_factory=list)
    errors: list[journal.Line] | None = None

    @property
    def inactive(self) -> int:
        """Channels that are not heard."""
        return (self.channels or 0) - self.active


def read() -> Facts:
    """Everything but the chart. Takes as long for 10,000 channels as PostgreSQL takes to count them."""
    facts = Facts()
    partitions = _ask("PostgreSQL", facts, lambda: _channels(facts)) or [0]
    _ask("PostgreSQL", facts, lambda: _loops(facts, partitions))
    own = _ask("PostgreSQL", facts, lambda: _settings(facts))
    _ask("Redis", facts, lambda: _stream(facts, partitions, own))
    _ask("MongoDB", facts, lambda: _quarantine(facts))
    return facts


def chart(name: str) -> dict[str, Any] | None:
    """Messages per second in each slot of a range; None while Redis is away."""
    width, slots = RANGES[name]
    try:
        first, counts = rates.series(range(settings.RELAY_PARTITIONS), width, slots)
    except redis.RedisError:
        return None
    # The last slot has only begun: its rate would always look like a fall.
    return {"first": first, "width": width, "rates": [round(n / width, 3) for n in counts[:-1]]}


def _ask(server: str, facts: Facts, question: Callable[[], T]) -> T | None:
    if server in facts.away:
        return None
    try:
        return question()
    except (DatabaseError, redis.RedisError, PyMongoError) as exc:
        facts.away[server] = one_line(exc, 200)
        log.warning("the home page cannot ask %s: %s", server, facts.away[server])
        return None


def _channels(facts: Facts) -> list[int]:
    heard = Channel.objects.in_status(Channel.Status.ACTIVE)
    rows = Channel.objects.values("partition").annotate(n=Count("id"))
    by_partition = {row["partition"]: row["n"] for row in rows.order_by("partition")}
    facts.channels = sum(by_partition.values())
    facts.active = heard.count()
    if facts.inactive:
        channels = Channel.objects.in_status(Channel.Status.INACTIVE).order_by("-updated_at")[:_SHOWN]
        listeners = report.listeners({channel.partition for channel in channels})
        facts.silent = [
            (channel, report.why_not_heard(channel, listeners.get(channel.partition))) for channel in channels
        ]
    facts.gaps = list(Gap.objects.all()[:_SHOWN])
    return list(by_partition)


def _loops(facts: Facts, partitions: list[int]) -> None:
    leases = list(Lease.objects.live().filter(partition__in=partitions))
    leading = {(lease.host, lease.pid) for lease in leases if lease.role == Lease.Role.LISTENER}
    # Who leads has a seat as well, and need not be shown twice.
    shown = [lease for lease in leases if lease.role != Lease.Role.SEAT or _place(lease) not in leading]
    facts.leases = shown[:_SHOWN]
    held = Held(frozenset((lease.role, lease.partition, lease.slot) for lease in leases))
    for role in (Lease.Role.LISTENER, Lease.Role.WRITER):
        if without := sorted(held.lacking(role, set(partitions))):
            facts.unled.append(f"No {role.label} for partition {_listed(without)}")
    alone = [
        partition
        for partition, vacant in sorted(held.vacancies(set(partitions), _seats()).items())
        if vacant < _seats()
    ]
    if alone:
        facts.unled.append(f"Fewer than {_seats()} listeners for partition {_listed(alone)}")


def _settings(facts: Facts) -> str:
    """Whether they are those of the deployment; its identity."""
    own = deployment.recorded()
    facts.misfit = partitioning.misfit() or deployment.wrong_secret(own)
    return own.identity


def _seats() -> int:
    return int(settings.RELAY_LISTENERS_PER_PARTITION)


def _place(lease: Lease) -> tuple[str, int]:
    return lease.host, lease.pid


def _listed(partitions: list[int]) -> str:
    more = f" and {len(partitions) - _SHOWN} more" if len(partitions) > _SHOWN else ""
    return ", ".join(map(str, partitions[:_SHOWN])) + more


def _stream(facts: Facts, partitions: list[int], own: str | None) -> None:
    if own is not None:
        facts.misfit = facts.misfit or deployment.foreign(own, deployment.beside_stream())
    backlogs = backlog.read(partitions).values()
    facts.waiting = sum(one.entries for one in backlogs)
    facts.lag_seconds = max(one.lag_seconds for one in backlogs)
    _, counts = rates.series(partitions, 5, 13)
    facts.minute = rates.Count(sum(counts[:-1]), 60.0)
    facts.hour = sum(rates.series(partitions, 60, 61)[1])
    facts.errors = journal.last(6)


def _quarantine(facts: Facts) -> None:
    facts.quarantined = mongo_collection("quarantine").estimated_document_count()
    if facts.quarantined:
        facts.latest = list(Quarantined.objects.defer("payload").order_by("-quarantined_at")[:5])
