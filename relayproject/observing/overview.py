"""What there is to see of the three servers and of the loops, and how each server is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db.models import Count

from alerts_app.watching import WatchedRule
from channels_app import completeness
from channels_app.models import Channel, Gap
from leases_app import deployment, layout, partitioning, sharding
from leases_app.models import Lease
from messages_app.publishing import usage
from messages_app.publishing.usage import Used
from messages_app.searching import backlog, history
from messages_app.searching.backlog import Backlog
from relaybase import fitness, meters, watching
from relaybase.connections import shared_redis
from relaycore import layout as layouts
from relaycore.fitness import Finding, takes_nothing
from relaycore.layout import Layout
from relayproject import proposals
from relayproject.observing.loops import Loop
from relayproject.observing.readers import Readers
from relayproject.processes import ENDLESS
from relayproject.proposals import Proposals


@dataclass(frozen=True, slots=True)
class Listed:
    """How many channels are listed, in a partition or at all, and how many of them are not heard."""

    channels: int = 0
    unheard: int = 0


@dataclass(frozen=True, slots=True)
class Table:
    """PostgreSQL.

    loops:     each that there has to be of `ENDLESS`: leading listeners, writers, senders, ...
    standbys:  troubles of other listeners, by partition
    listeners: by partition those that live, leaders and standbys
    dropped:   by partition the messages that listeners had to give up, ever
    listed:    channels by partition
    refused:   channels that Redis refuses
    unheard:   channels that it does not refuse, and that are in an open gap of their own
    layout:    what everything is divided into
    misfit:    why nothing may work, if `RELAY_PARTITIONS` is not what is recorded
    secret:    the same for `RELAY_SECRET_KEY`
    divisions: the same for each setting that divides into shards, such as `RELAY_SENDER_SHARDS`
    identity:  of this deployment
    """

    loops: list[Loop]
    standbys: Mapping[int, str]
    listeners: Mapping[int, int]
    dropped: Mapping[int, int]
    open_gaps: int
    channels: Mapping[str, int]
    listed: Mapping[int, Listed]
    refused: int
    unheard: int
    proposals: Proposals
    layout: Layout
    misfit: str | None
    secret: str | None
    divisions: Mapping[str, str | None]
    identity: str


@dataclass(frozen=True, slots=True)
class Streams:
    """Redis: by partition what waits and what was counted, and memory in bytes (most 0: no limit).

    identity: of the deployment to which this Redis belongs; None if it belongs to nobody yet
    layouts:  what stands beside the streams
    refuses:  why it takes nothing; None: it does
    used:     what was published by HTTP
    findings: what speaks against this Redis
    """

    backlogs: Mapping[int, Backlog]
    readings: Mapping[int, meters.Reading]
    memory: int
    most_memory: int
    identity: str | None
    layouts: list[str | None]
    refuses: str | None
    used: list[Used]
    findings: list[Finding]


@dataclass(frozen=True, slots=True)
class Archive:
    """MongoDB: how many messages it holds, and how many are in quarantine, as its metadata say.

    findings: what speaks against this MongoDB
    """

    messages: int
    quarantined: int
    findings: list[Finding]


@dataclass(slots=True)
class Overview:
    """What was seen. None: that server does not answer, `faults` says why by its name.

    lacks:   by its name, what a server lacks of this version's migrations
    readers, rules: subscriptions and rules, if they were asked for and could be read
    """

    table: Table | None = None
    streams: Streams | None = None
    archive: Archive | None = None
    faults: dict[str, str] = field(default_factory=dict)
    lacks: dict[str, str] = field(default_factory=dict)
    readers: Readers | None = None
    rules: list[WatchedRule] | None = None

    @property
    def foreign(self) -> str | None:
        """Why nothing may work, if Redis belongs to another deployment."""
        if self.table is None or self.streams is None:
            return None
        return deployment.foreign(self.table.identity, self.streams.identity)

    @property
    def misfit(self) -> str | None:
        """Why nothing may work, if what everything is divided into is not everywhere the same."""
        if self.table is None or self.table.misfit is not None or self.streams is None:
            return None if self.table is None else self.table.misfit
        return layouts.misfit(self.table.layout, self.streams.layouts)

    @property
    def findings(self) -> Mapping[str, list[Finding]]:
        """What speaks against the servers that answer, by their names."""
        redis = [] if self.streams is None else self.streams.findings
        return {"Redis": redis, "MongoDB": [] if self.archive is None else self.archive.findings}


def read_table() -> Table:
    """Leases and channels.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    partitions = range(settings.RELAY_PARTITIONS)
    rows = list(Lease.objects.described())
    loops = {(row.role, row.partition): Loop.of(row) for row in rows}
    live = [row for row in rows if row.is_live]
    listeners, dropped = dict.fromkeys(partitions, 0), dict.fromkeys(partitions, 0)
    standbys = {}
    for row in rows:
        if row.partition not in partitions or row.role not in {Lease.Role.LISTENER, Lease.Role.SEAT}:
            continue
        dropped[row.partition] += row.given_up
        if row.role == Lease.Role.SEAT and row.is_live:
            listeners[row.partition] += 1
            if row.trouble:
                standbys[row.partition] = row.trouble
    wanted = sorted((one.role, number) for one in ENDLESS for number in range(getattr(settings, one.shards)))
    listed = read_listed()
    unheard = sum(one.unheard for one in listed.values())
    channels = {
        Channel.Status.ACTIVE.value: sum(one.channels for one in listed.values()) - unheard,
        Channel.Status.INACTIVE.value: unheard,
    }
    own, own_layout = deployment.recorded(), partitioning.layout()
    return Table(
        loops=[loops.get(key, Loop(*key)) for key in wanted],
        standbys=standbys,
        listeners=listeners,
        dropped=dropped,
        open_gaps=Gap.objects.filter(ended_at=None, covered=False).count(),
        channels=channels,
        listed=listed,
        refused=Channel.objects.listened().exclude(refusal="").in_status(Channel.Status.INACTIVE).count(),
        unheard=completeness.count_unheard(),
        proposals=proposals.read(),
        layout=own_layout,
        misfit=partitioning.misfit(own_layout),
        secret=deployment.wrong_secret(own),
        divisions={one.setting: one.misfit(live) for one in sharding.DIVISIONS},
        identity=own.identity,
    )


def read_listed() -> dict[int, Listed]:
    """The channels of each partition that has any to be heard.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    return {partition: one for partition, one in read_used().items() if one.channels}


def read_used() -> dict[int, Listed]:
    """The same for each partition that has any channel: of those that are fed by HTTP alone none is listed.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    every = Channel.objects.with_status().order_by("partition")
    rows = every.values_list("partition", "status")  # type: ignore[misc]  # It is annotated.
    counts: dict[int, dict[str | None, int]] = {}
    for partition, status, count in rows.annotate(count=Count("id")):
        counts.setdefault(partition, {})[status] = count
    return {
        partition: Listed(sum(found.values()) - found.get(None, 0), found.get(Channel.Status.INACTIVE, 0))
        for partition, found in counts.items()
    }


def read_streams() -> Streams:
    """Streams and meters.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client, partitions = shared_redis(), range(settings.RELAY_PARTITIONS)
    info = client.info()
    return Streams(
        backlog.read(partitions),
        meters.read(client, partitions),
        int(info["used_memory"]),
        int(info["maxmemory"]),
        deployment.beside_stream(),
        layout.beside(settings.RELAY_PARTITIONS),
        takes_nothing(info),
        usage.read(client),
        fitness.redis_findings(client, info),
    )


def read_archive() -> Archive:
    """Sizes of the collections.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    messages = history.collection()
    return Archive(
        messages.estimated_document_count(),
        messages.database["quarantine"].estimated_document_count(),
        watching.archive_findings_now(),
    )
