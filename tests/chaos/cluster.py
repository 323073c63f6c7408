"""Real listeners and writers as processes of their own, on the servers of the test."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from channels_app import registration
from channels_app.models import Channel
from leases_app import deployment
from leases_app.models import Lease

MANAGE = Path(__file__).parents[2] / "manage.py"
Wait = Callable[..., None]

_TWO_TICKS_SECONDS = 0.35
"""With time to spare: after two ticks a standby has heard a whole one."""


def tick_channel() -> str:
    """The Pub/Sub channel of the ticks of partition 0."""
    return deployment.tick_channel(0)


def control_channel() -> str:
    """The Pub/Sub channel on which the listeners of partition 0 are told to look at the channel table."""
    return deployment.control_channel(0)


class Cluster:
    """Starts `manage.py listen` and `manage.py write` for partition 0, and does things to them."""

    def __init__(self, settings: Any, redis: Any, wait_until: Wait, log: Path, **environment: str) -> None:
        databases = settings.DATABASES
        url = urlsplit(settings.SERVERS.database_url)._replace(path=f"/{databases['default']['NAME']}")
        self.environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "relayproject.settings",
            "DATABASE_URL": url.geturl(),
            "REDIS_URL": settings.SERVERS.redis_url,
            "MONGO_URL": settings.SERVERS.mongo_url,
            "RELAY_MONGO_DATABASE": databases["messages"]["NAME"],
            # A killed process is replaced as soon as its lease has lapsed.
            "RELAY_LEASE_TTL_SECONDS": "1.0",
            "RELAY_LEASE_HEARTBEAT_SECONDS": "0.2",
            **environment,
        }
        self.redis = redis
        self.redis_url = settings.SERVERS.redis_url
        self.redis_url_of_processes = self.environment["REDIS_URL"]
        self.database_url = self.environment["DATABASE_URL"]
        self._wait_until = wait_until
        self._log = log
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **environment: str) -> "subprocess.Popen[bytes]":
        """Start `manage.py` with a command, or a module of the tests: `start("-m", "tests.chaos.x")`."""
        program = () if command[0] == "-m" else (str(MANAGE),)
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *program, *command],
                env=self.environment | environment,
                cwd=MANAGE.parent,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def replace_listener(self, **environment: str) -> None:
        """Start a listener as soon as there is a seat for it, as beat would."""
        self._wait_for_seat(int(environment.get("RELAY_LISTENERS_PER_PARTITION", "2")))
        self.start("listen", **environment)

    def _wait_for_seat(self, seats: int = 2) -> None:
        held = Lease.objects.live().filter(role=Lease.Role.SEAT, partition=0)
        self._wait_until(lambda: held.count() < seats, what="a free seat")

    def keep(self, listeners: int, *without: str, **environment: str) -> None:
        """So many listeners from now on: one that ends or is killed is replaced at once.

        `without`: these protections (`careless`).
        """
        self.start("-m", "tests.chaos.nursery", str(listeners), *without, **environment)

    def start_careless(self, protection: str, **environment: str) -> None:
        """Start a listener without a protection (`careless`), as soon as there is a seat for it."""
        self._wait_for_seat()
        self.start("-m", "tests.chaos.careless", protection, "listen", **environment)

    def replace_writer(self) -> None:
        """Start a writer as soon as nobody holds the lease, as beat would."""
        held = Lease.objects.live().filter(role=Lease.Role.WRITER, partition=0)
        self._wait_until(lambda: not held.exists(), what="the writer's lease free")
        self.start("write")

    def channel(self, name: str, policy: Any = "content") -> Channel:
        """A channel that every listener hears: the leader makes it ACTIVE, a standby may be later."""
        row = Channel.objects.create(channel=name, deduplicate=policy)
        registration.wake([(0, name)])
        self._wait_until(lambda: self.is_active(name), seconds=20, what=f"{name} ACTIVE")
        self.wait_until_all_hear(name)
        return row

    def wait_until_all_hear(self, channel: str) -> None:
        """Until the standbys are whole with this channel too, of which the leader says that it is ACTIVE."""
        self._wait_until(lambda: self.audience(channel) == self.audience(tick_channel()), what="all hear")
        time.sleep(_TWO_TICKS_SECONDS)

    def audience(self, channel: str) -> int:
        """How many connections have subscribed, by Redis's count."""
        return int(self.redis.pubsub_numsub(channel)[0][1])

    def is_active(self, name: str) -> bool:
        """Whether the API would say so."""
        return Channel.objects.with_status().get(channel=name).status == Channel.Status.ACTIVE

    @property
    def listeners(self) -> "list[subprocess.Popen[bytes]]":
        """Those that run."""
        return self._alive("listen")

    @property
    def writers(self) -> "list[subprocess.Popen[bytes]]":
        """Those that run."""
        return self._alive("write")

    def _alive(self, command: str) -> "list[subprocess.Popen[bytes]]":
        return [p for p in self.running if self.command_of(p) == command and p.poll() is None]

    def leader(self) -> "subprocess.Popen[bytes] | None":
        """The process that leads now, if it was started by itself."""
        pid = self.leader_pid()
        return next((process for process in self.listeners if process.pid == pid), None)

    def leader_pid(self) -> int | None:
        """Of the process that leads now."""
        row = Lease.objects.live().filter(role=Lease.Role.LISTENER, partition=0).first()
        return None if row is None else row.pid

    def wait_for_leader(self) -> int:
        """The process id of the one that leads, once one does: a heartbeat that is late lets a term lapse."""
        found: list[int] = []

        def is_led() -> bool:
            found[:] = [pid for pid in [self.leader_pid()] if pid]
            return bool(found)

        self._wait_until(is_led, seconds=20, what="a leader")
        return found[0]

    def epoch(self) -> int:
        """The number of the term: it grows by one with each leader."""
        return Lease.objects.get(role=Lease.Role.LISTENER, partition=0).epoch

    def wait_for(self, listeners: int) -> None:
        """Until so many listeners protect: each of them has heard two whole ticks."""
        self._wait_until(
            lambda: self.audience(tick_channel()) == listeners and self.leader_pid() is not None,
            seconds=20,
            what=f"{listeners} listeners, one of which leads",
        )
        time.sleep(_TWO_TICKS_SECONDS)

    def signal(self, process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        """Send a signal to a process that must be there."""
        assert process.poll() is None, "the process had ended before the fault"
        process.send_signal(number)
        if number == signal.SIGKILL:
            process.wait(10)
            self.running.remove(process)

    def command_of(self, process: "subprocess.Popen[bytes]") -> str:
        """`listen` or `write`."""
        return str(list(process.args)[-1])  # type: ignore[arg-type]

    def data_connections(self) -> list[dict[str, str]]:
        """Redis's view of the connections on which listeners hear."""
        return [c for c in self.redis.client_list(_type="pubsub") if c["name"].startswith("relay-listener")]

    def log(self) -> str:
        """What all processes have said."""
        return self._log.read_text(errors="replace")

    def stop(self, process: "subprocess.Popen[bytes]") -> float:
        """SIGTERM; how many seconds it took to end."""
        began = time.monotonic()
        self.signal(process, signal.SIGTERM)
        assert process.wait(10) == 0
        self.running.remove(process)
        return time.monotonic() - began

    def end(self) -> None:
        """Kill whatever still runs."""
        for process in self.running:
            for child in psutil.Process(process.pid).children() if process.poll() is None else ():
                child.kill()
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self.running:
            process.wait(10)
