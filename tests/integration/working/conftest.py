"""One real worker that serves all queues, with a broker of its own."""

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from leases_app.models import Lease
from relaybase.queues import PROPOSE
from relayproject.celery import app
from relaystack.servers.valkey import Valkey
from tests.chaos.cluster import Cluster
from tests.chaos.servers import OwnServer
from tests.integration.conftest import BEGUN_SECONDS
from tests.signals import heeded

Wait = Callable[..., None]

ROLES = sorted(
    [
        *(Lease.Role.LISTENER, Lease.Role.SEAT, Lease.Role.SEAT),
        *(Lease.Role.WRITER, Lease.Role.SENDER, Lease.Role.PROCESSOR),
    ]
)
"""What is held where everything runs."""

_WORKER: tuple[str, ...] = (
    "worker",
    "--queues",
    "listeners,writers,senders,processors,default",
    "--hostname",
    "all@%h",
    "--loglevel",
    "INFO",
)
_WORKER += ("--without-gossip", "--without-mingle")

CELERY = ("-m", "celery", "-A", "relayproject")


class Worker:
    """It runs two listeners, a writer, a sender, a processor, and the proposals of them."""

    def __init__(
        self,
        cluster: Cluster,
        wait_until: Wait,
        *options: str,
        program: tuple[str, ...] = CELERY,
        **environment: str,
    ) -> None:
        self.cluster = cluster
        self._wait_until = wait_until
        with contextlib.ExitStack() as stack:
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
                stack.enter_context(heeded(number))
            self.process = cluster.start(
                *program, *_WORKER, *(options or ("--concurrency", "6")), **environment
            )

    def loops(self) -> set[int]:
        """The processes that hold a lease."""
        return set(Lease.objects.live().values_list("pid", flat=True))

    def terms(self) -> set[tuple[str, int, int, int]]:
        """Which term of which loop runs: one that was replaced has another, in the same process too.

        Without that of the leader, who may change where the loops do not.
        """
        loops = Lease.objects.live().exclude(role=Lease.Role.LISTENER)
        return set(loops.values_list("role", "partition", "slot", "epoch"))

    def wait_for_loops(self, *but: int, seconds: float = BEGUN_SECONDS) -> set[int]:
        """Until all loops run, none of them in these processes; theirs."""

        def all_run() -> bool:
            live = Lease.objects.live()
            return sorted(live.values_list("role", flat=True)) == ROLES and not self.loops() & set(but)

        self._wait_until(all_run, seconds=seconds, what="all loops run")
        return self.loops()

    def propose(self) -> None:
        """As beat does."""
        with app.connection_for_write(self.cluster.environment["CELERY_BROKER_URL"]) as connection:
            app.send_task(PROPOSE, connection=connection)

    def control(self, *command: str) -> str:
        """What `celery COMMAND` answers."""
        answered = subprocess.run(
            [sys.executable, *CELERY, *command],
            env=self.cluster.environment,
            cwd=Path(__file__).parents[3],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return answered.stdout + answered.stderr


def seconds_until_gone(pids: set[int], limit: float) -> float:
    """Until all of these processes have ended."""
    began = time.monotonic()
    while alive := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() - began < limit, f"{len(alive)} loops go on"
        time.sleep(0.05)
    return time.monotonic() - began


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[OwnServer]:
    """A Redis for Celery alone."""
    server = OwnServer(Valkey, tmp_path / "broker")
    yield server
    server.stop()


@pytest.fixture
def cluster(
    transactional_db: None,
    settings: Any,
    relay_keys: Any,
    archive: Any,
    wait_until: Wait,
    broker: OwnServer,
    tmp_path: Path,
) -> Iterator[Cluster]:
    """Starts processes of Relay on the servers of the test, and on this broker."""
    cluster = Cluster(
        settings,
        relay_keys,
        wait_until,
        tmp_path / "processes.log",
        CELERY_BROKER_URL=broker.url,
        RELAY_PROPOSE_INTERVAL_SECONDS="1",
        RELAY_LEASE_TTL_SECONDS="3.0",
        RELAY_LEASE_HEARTBEAT_SECONDS="0.5",
    )
    yield cluster
    cluster.end()
    print(cluster.log())


@pytest.fixture
def start_worker(cluster: Cluster, wait_until: Wait) -> Callable[..., Worker]:
    """Starts it: `start_worker("--concurrency", "4", NAME="value")`."""
    return lambda *options, **more: Worker(cluster, wait_until, *options, **more)
