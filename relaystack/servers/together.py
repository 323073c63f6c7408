"""Several servers at once: for the stack, and for test suites."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relaystack.running.process import Pause, stop_all
from relaystack.servers.embedded import Server
from relaystack.servers.mongo import Mongo
from relaystack.servers.postgres import NOT_DURABLE, Postgres
from relaystack.servers.valkey import Valkey


@dataclass(frozen=True, slots=True)
class EmbeddedServers:
    """One of each."""

    postgres: Postgres
    redis: Valkey
    mongo: Mongo


def start_all(servers: Sequence[Server], pause: Pause = time.sleep) -> None:
    """Start them side by side and wait until each serves. If one fails, none is left running."""
    try:
        # PostgreSQL last: while its first start initialises the data, the others come up.
        for server in sorted(servers, key=lambda server: isinstance(server, Postgres)):
            server.start(pause)
        for server in servers:
            server.wait_until_ready(pause)
    except BaseException:
        stop_servers(servers)
        raise


def stop_servers(servers: Sequence[Server]) -> None:
    """Stop them side by side."""
    running = [server.process for server in servers if server.process is not None]
    stop_all(running, max((server.stop_seconds for server in servers), default=0.0))


@contextmanager
def servers_for_tests(directory: Path, mongo_extra: Sequence[str] = ()) -> Iterator[EmbeddedServers]:
    """All three on free ports with their data in the directory; quick, and so not safe from a power cut."""
    logs = directory / "log"
    servers = EmbeddedServers(
        Postgres(directory / "postgres", logs / "postgres.log", extra=NOT_DURABLE),
        Valkey(directory / "redis", logs / "redis.log"),
        Mongo(directory / "mongo", logs / "mongo.log", extra=mongo_extra),
    )
    every = (servers.postgres, servers.redis, servers.mongo)
    start_all(every)
    try:
        yield servers
    finally:
        stop_servers(every)
