"""One look at the three servers and at the loops."""

from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection

from channels_app.models import Channel, Gap
from leases_app import deployment, partitioning
from leases_app.models import ClockTimestamp, Lease
from messages_app.searching import backlog, history
from messages_app.searching.backlog import Backlog
from relayproject import meters
from relayproject.connections import shared_redis

PATIENCE_SECONDS: Final = 3.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Loop:
    """A listener or a writer as its lease shows it. `age_seconds`: since its last heartbeat, or its end."""

    role: str
    partition: int
    is_live: bool = False
    host: str = ""
    pid: int = 0
    epoch: int = 0
    claimed_at: datetime | None = None
    heartbeat_at: datetime | None = None
    age_seconds: float | None = None

    def __str__(self) -> str:
        return f"{self.role} of partition {self.partition}"


@dataclass(frozen=True, slots=True)
class Table:
    """PostgreSQL.

    listeners: by partition those that live, leaders and standbys
    dropped:   by partition the messages that listeners had to give up, ever
    misfit:    why nothing may work, if `RELAY_PARTITIONS` is not what is recorded
    secret:    the same for `RELAY_SECRET_KEY`
    identity:  of this deployment
    """

    loops: list[Loop]
    listeners: Mapping[int, int]
    dropped: Mapping[int, int]
    open_gaps: int
    channels: Mapping[str, int]
    misfit: str | None
    secret: str | None
    identity: str


@dataclass(frozen=True, slots=True)
class Streams:
    """Redis: by partition what waits and what was counted, and memory in bytes (most 0: no limit).

    identity: of the deployment to which this Redis belongs; None if it belongs to nobody yet
    """

    backlogs: Mapping[int, Backlog]
    readings: Mapping[int, meters.Reading]
    memory: int
    most_memory: int
    identity: str | None


@dataclass(frozen=True, slots=True)
class Archive:
    """MongoDB: how many messages it holds, and how many are in quarantine, as its metadata say."""

    messages: int
    quarantined: int


@dataclass(slots=True)
class State:
    """What was seen. None: that server does not answer, `faults` says why by its name."""

    table: Table | None = None
    streams: Streams | None = None
    archive: Archive | None = None
    faults: dict[str, str] = field(default_factory=dict)

    @property
    def foreign(self) -> str | None:
        """Why nothing may work, if Redis belongs to another deployment."""
        if self.table is None or self.streams is None:
            return None
        return deployment.foreign(self.table.identity, self.streams.identity)


def look() -> State:
    """Look at everything at once; back after `PATIENCE_SECONDS` at the latest."""
    looks: dict[str, Callable[[], Any]] = {
        "PostgreSQL": read_table,
        "Redis": read_streams,
        "MongoDB": read_archive,
    }
    pool = ThreadPoolExecutor(len(looks), thread_name_prefix="look")
    found = {server: pool.submit(_alone, read) for server, read in looks.items()}
    pool.shutdown(wait=False)  # One that hangs is left behind; its own time limit ends it.
    wait(found.values(), PATIENCE_SECONDS)
    state = State()
    state.table = _result(found, "PostgreSQL", state.faults)
    state.streams = _result(found, "Redis", state.faults)
    state.archive = _result(found, "MongoDB", state.faults)
    return state


def read_table() -> Table:
    """Leases and channels.

    Raises:
        django.db.Error: PostgreSQL does not answer.
    """
    partitions = range(settings.RELAY_PARTITIONS)
    roles: tuple[str, ...] = (Lease.Role.LISTENER, Lease.Role.WRITER)
    rows = list(Lease.objects.annotate(now=ClockTimestamp()).filter(partition__in=partitions))
    live = set(Lease.objects.live().values_list("pk", flat=True))
    loops = {(row.role, row.partition): _loop(row, row.pk in live) for row in rows if row.role in roles}
    listeners, dropped = dict.fromkeys(partitions, 0), dict.fromkeys(partitions, 0)
    for row in rows:
        listeners[row.partition] += row.role == Lease.Role.SEAT and row.pk in live
        dropped[row.partition] += row.given_up
    wanted = sorted((role, number) for role in roles for number in partitions)
    channels = {status: Channel.objects.in_status(status).count() for status in Channel.Status.values}
    own = deployment.recorded()
    return Table(
        [loops.get(key, Loop(*key)) for key in wanted],
        listeners,
        dropped,
        Gap.objects.filter(ended_at=None, covered=False).count(),
        channels,
        partitioning.misfit(),
        deployment.wrong_secret(own),
        own.identity,
    )


def read_streams() -> Streams:
    """Streams and meters.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    client, partitions = shared_redis(), range(settings.RELAY_PARTITIONS)
    memory = client.info("memory")
    return Streams(
        backlog.read(partitions),
        meters.read(client, partitions),
        int(memory["used_memory"]),
        int(memory["maxmemory"]),
        deployment.beside_stream(),
    )


def read_archive() -> Archive:
    """Sizes of the collections.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    messages = history.collection()
    return Archive(
        messages.estimated_document_count(), messages.database["quarantine"].estimated_document_count()
    )


def _loop(row: Any, is_live: bool) -> Loop:
    seen = row.heartbeat_at
    return Loop(
        row.role,
        row.partition,
        is_live,
        row.host,
        row.pid,
        row.epoch,
        row.claimed_at,
        seen,
        None if seen is None else (row.now - seen).total_seconds(),
    )


def _alone(read: Callable[[], T]) -> T:
    """In a thread of its own, which leaves no connection behind."""
    try:
        return read()
    finally:
        connection.close()


def _result(found: Mapping[str, "Future[Any]"], server: str, faults: dict[str, str]) -> Any:
    """What a look came to; None if it came to nothing, and then why."""
    work = found[server]
    if not work.done():
        faults[server] = f"does not answer within {PATIENCE_SECONDS:g} s"
        return None
    if (error := work.exception()) is not None:
        # Not the text: it may have an address with a password in it.
        faults[server] = f"does not answer ({type(error).__name__})"
        return None
    return work.result()
