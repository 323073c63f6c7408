"""What the home page says, read from the three servers."""

import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.db import ProgrammingError
from django.db.models import F
from pymongo.errors import PyMongoError

from channels_app import completeness, report
from channels_app.models import Channel, Gap
from leases_app import deployment, layout, partitioning
from leases_app.leasing import Held
from leases_app.models import Lease, share_of
from messages_app.models import Quarantined
from messages_app.publishing import usage
from messages_app.publishing.usage import Used
from messages_app.searching import backlog, history
from relaybase import fitness, journal, rates, watching
from relaybase.connections import shared_redis
from relaycore.errors import one_line
from relaycore.fitness import Finding, takes_nothing
from relaycore.layout import Layout, misfit
from relayproject import migrating, proposals
from relayproject.dashboard import readers
from relayproject.dashboard.readers import Readers
from relayproject.observing.overview import Listed, read_used
from relayproject.processes import ENDLESS, Endless

log = logging.getLogger(__name__)

T = TypeVar("T")

RANGES: Final = {"minutes": (5, 120), "hours": (60, 180), "day": (60, 1440)}
"""What the chart can show → seconds of a slot, number of slots."""

_SHOWN: Final = 8
"""So many rows of each list; the whole is one click away."""

_MOST_CHARACTERS: Final = 120
_REST: Final = re.compile(r" \(configured timeouts: |, Timeout: | Is the server running ")
"""Where the drivers of MongoDB and PostgreSQL begin with advice, settings and topologies."""


@dataclass(slots=True)
class Facts:
    """What is None could not be read. `away`: server → why.

    is_empty: there is no channel at all, neither one that is to be heard nor one that is fed by HTTP alone
    listed:   channels that are to be heard, by partition
    gapped:   channels with an open gap of their own that Redis does not refuse
    silent:   why → some of the channels that are not heard for this reason
    misfit:   why nothing may work: the settings are not those of the deployment
    unled:    sentences on partitions and shards that lack a loop
    troubles: sentences on what a loop or Redis does not do
    findings: what speaks against Redis and MongoDB
    stopped:  why nobody proposes loops
    waiting:  entries on all streams; `lag_seconds` is the age of the oldest
    held:     messages in the memory of leading listeners
    latest:   what went into quarantine last and nobody has acknowledged
    used:     who has published most by HTTP, and where
    readers:  subscriptions that are behind, or have dead letters
    """

    away: dict[str, str] = field(default_factory=dict)
    is_empty: bool = False
    channels: int | None = None
    listed: dict[int, Listed] = field(default_factory=dict)
    inactive: int = 0
    gapped: int = 0
    silent: dict[str, list[Channel]] = field(default_factory=dict)
    leases: list[Lease] = field(default_factory=list)
    misfit: str | None = None
    unled: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    stopped: str | None = None
    gaps: list[Gap] = field(default_factory=list)
    waiting: int | None = None
    lag_seconds: float = 0.0
    held: int = 0
    minute: rates.Rate | None = None
    hour: int = 0
    quarantined: int | None = None
    latest: list[Quarantined] = field(default_factory=list)
    errors: list[journal.JournalLine] | None = None
    used: list[Used] | None = None
    readers: Readers | None = None

    @property
    def active(self) -> int:
        """Channels that are heard."""
        return (self.channels or 0) - self.inactive

    @property
    def deaf(self) -> list[int]:
        """Partitions of whose channels not one is heard."""
        return [partition for partition, one in self.listed.items() if one.unheard == one.channels]

    @property
    def severity(self) -> str:
        """`bad`: of a whole partition nothing is heard or stored; `warn`: it is less than that; `good`."""
        if self.deaf or self.troubles or self.unfit:
            return "bad"
        less = self.inactive or self.gapped or self.unled or self.stopped or self.findings
        return "warn" if less else "good"

    @property
    def unfit(self) -> list[str]:
        """What is serious of that, in sentences."""
        return [finding.sentences.rstrip(".") for finding in self.findings if finding.serious]

    @property
    def amiss(self) -> list[str]:
        """What is not as it should be, the worst first."""
        if len(self.deaf) < len(self.listed):
            deaf = [f"Of partition {_listed(self.deaf)} nothing is heard"] if self.deaf else []
        else:
            deaf = []
        if self.gapped > self.inactive:  # Else their number is part of the one that the banner begins with.
            deaf.append(f"{self.gapped} channel{'s' if self.gapped > 1 else ''} with an open gap")
        # A loop says of its server what this page has seen itself.
        troubles = [text for text in self.troubles if not text.endswith(tuple(self.unfit))]
        warnings = [finding.sentences.rstrip(".") for finding in self.findings if not finding.serious]
        stopped = [self.stopped] if self.stopped else []
        return [*deaf, *self.unfit, *troubles, *self.unled, *stopped, *warnings]


def read() -> Facts:
    """Everything but the chart. Takes as long for 10,000 channels as PostgreSQL takes to count them."""
    facts = Facts()
    partitions = _ask("PostgreSQL", facts, lambda: _channels(facts)) or [0]
    _ask("PostgreSQL", facts, lambda: _loops(facts, partitions))
    own = _ask("PostgreSQL", facts, lambda: _settings(facts))
    facts.readers = _ask("PostgreSQL", facts, readers.read)
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
        facts.away[server] = _lacks(exc) or _first_clause(exc)
        log.warning("the home page cannot ask %s: %s", server, one_line(exc, 200))
        return None


def _lacks(exc: Exception) -> str | None:
    """What PostgreSQL lacks, where that may be the reason: it misses a table or a column."""
    if isinstance(exc, ProgrammingError):
        with suppress(DatabaseError):
            return (migrating.unapplied("default") or "").rstrip(".") or None
    return None


def _first_clause(exc: Exception) -> str:
    """What a driver says before it sets out all that it knows."""
    said = one_line(exc)
    return _REST.split(said, maxsplit=1)[0].rstrip(". ")[:_MOST_CHARACTERS] or type(exc).__name__


def _channels(facts: Facts) -> list[int]:
    """Partitions with channels, those too that are fed by HTTP alone."""
    used = read_used()
    facts.is_empty = not used
    facts.listed = {partition: one for partition, one in used.items() if one.channels}
    facts.channels = sum(one.channels for one in facts.listed.values())
    facts.inactive = sum(one.unheard for one in facts.listed.values())
    facts.gapped = completeness.count_unheard()
    if facts.inactive:
        channels = Channel.objects.in_status(Channel.Status.INACTIVE).order_by("-updated_at")[:_SHOWN]
        listeners = report.listeners({channel.partition for channel in channels})
        for channel in channels:
            why = report.why_not_heard(channel, listeners.get(channel.partition))
            facts.silent.setdefault(why, []).append(channel)
    facts.gaps = list(Gap.objects.order_by(F("ended_at").desc(nulls_first=True), "-began_at")[:_SHOWN])
    return list(used)


def _loops(facts: Facts, partitions: list[int]) -> None:
    # Where nothing is to be heard no listener is missed, and none can prove that it hears.
    heard = partitions if facts.is_empty else list(facts.listed)
    shards = {
        one.role: _shards(one, heard if one.role == Lease.Role.LISTENER else partitions) for one in ENDLESS
    }
    every = Lease.objects.live().described()
    leases = [lease for lease in every if lease.partition in shards.get(lease.role, heard)]
    leading = {(lease.host, lease.pid) for lease in leases if lease.role == Lease.Role.LISTENER}
    # Who leads has a seat as well, and need not be shown twice.
    shown = [lease for lease in leases if lease.role != Lease.Role.SEAT or _place(lease) not in leading]
    # Who is in trouble first: there may be more than are shown.
    facts.leases = sorted(shown, key=lambda lease: not lease.is_troubled)[:_SHOWN]
    for text in sorted({lease.trouble for lease in leases if lease.trouble}):
        troubled: dict[str, set[int]] = {}
        for lease in leases:
            if lease.trouble == text:
                troubled.setdefault(share_of(lease.role).capitalize(), set()).add(lease.partition)
        facts.troubles += [
            f"{share} {_listed(sorted(numbers))}: {text.rstrip('.')}" for share, numbers in troubled.items()
        ]
    facts.held = sum(lease.waiting for lease in leases if lease.role == Lease.Role.LISTENER)
    facts.stopped = proposals.read().fault
    held = Held(frozenset((lease.role, lease.partition, lease.slot) for lease in leases))
    for role, wanted in shards.items():
        if without := sorted(held.lacking(role, set(wanted))):
            facts.unled.append(f"No {Lease.Role(role).label} for {share_of(role)} {_listed(without)}")
    alone = [
        partition
        for partition, vacant in sorted(held.vacancies(set(heard), _seats()).items())
        if vacant < _seats()
    ]
    if alone:
        facts.unled.append(f"Fewer than {_seats()} listeners for partition {_listed(alone)}")
    unproven = sorted({lease.partition for lease in leases if lease.is_alone} - set(alone))
    if unproven:
        facts.unled.append(f"Nobody has proved that it would take over partition {_listed(unproven)}")


def _settings(facts: Facts) -> tuple[str, Layout]:
    """Whether they are those of the deployment; its identity and its layout."""
    own, own_layout = deployment.recorded(), partitioning.layout()
    facts.misfit = partitioning.misfit(own_layout) or deployment.wrong_secret(own)
    return own.identity, own_layout


def _shards(kind: Endless, partitions: list[int]) -> Sequence[int]:
    """For which there has to be one; of partitions those with channels are enough."""
    return partitions if kind.shards == "RELAY_PARTITIONS" else range(getattr(settings, kind.shards))


def _seats() -> int:
    return int(settings.RELAY_LISTENERS_PER_PARTITION)


def _place(lease: Lease) -> tuple[str, int]:
    return lease.host, lease.pid


def _listed(partitions: list[int]) -> str:
    more = f" and {len(partitions) - _SHOWN} more" if len(partitions) > _SHOWN else ""
    return ", ".join(map(str, partitions[:_SHOWN])) + more


def _stream(facts: Facts, partitions: list[int], own: tuple[str, Layout] | None) -> None:
    if own is not None and facts.misfit is None:
        identity, own_layout = own
        facts.misfit = deployment.foreign(identity, deployment.beside_stream())
        facts.misfit = facts.misfit or misfit(own_layout, layout.beside(own_layout.partitions))
    backlogs = backlog.read(partitions).values()
    facts.waiting = sum(one.entries for one in backlogs)
    facts.lag_seconds = max(one.lag_seconds for one in backlogs)
    _, counts = rates.series(partitions, 5, 13)
    facts.minute = rates.Rate(sum(counts[:-1]), 60.0)
    facts.hour = sum(rates.series(partitions, 60, 61)[1])
    facts.errors = journal.last(6)
    facts.used = sorted(usage.read(shared_redis()), key=lambda one: -one.messages)[:_SHOWN]
    info = shared_redis().info()
    facts.findings += fitness.redis_findings(shared_redis(), info)
    if (why := takes_nothing(info)) is not None:
        facts.troubles.insert(0, f"Redis takes nothing, since {why}: what is heard now is not stored")


def _quarantine(facts: Facts) -> None:
    if (lacks := migrating.unapplied("messages")) is not None:
        facts.findings.append(migrating.finding("messages", lacks))
    # By the web's client: the writer's has a longer patience than somebody who looks at a page.
    facts.quarantined = history.collection().database["quarantine"].estimated_document_count()
    if facts.quarantined:
        unknown = Quarantined.objects.filter(acknowledged_at=None)
        facts.latest = list(unknown.defer("payload").order_by("-quarantined_at", "-pk")[:5])
    # What is wrong with the collections is the trouble of their writers.
    facts.findings += watching.mongo_findings_now()
