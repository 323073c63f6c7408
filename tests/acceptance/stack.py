"""A whole Relay, started the way a user starts it, and the handles that tests need."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import psutil
import psycopg2
import redis
from psycopg2 import extensions

from relayproject.processes import processes

ROOT = Path(__file__).parents[2]
PYTHON_PROCESSES = tuple(process.name for process in processes({}))
SERVERS = ("postgres", "redis", "mongo")


class Stack:
    """`python -m relaystack` on data of its own."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        taken = ("RELAY_", "CELERY_", "DATABASE_URL", "REDIS_URL", "MONGO_URL")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(taken)},
            "RELAY_DATA_DIR": str(data),
            "RELAY_WEB_PORT": str(_free_port()),
            **environment,
        }
        self.process: subprocess.Popen[str] | None = None
        self.output = ""

    # --- life ------------------------------------------------------------------------

    def start(self) -> float:
        """Start and wait until it is up; the seconds that it took."""
        began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, "-E", "-m", "relaystack"],  # As `make run` does.
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if "Ctrl-C stops" in line:
                break
        else:
            raise AssertionError(f"the stack did not come up:\n{self.output}")
        took = time.monotonic() - began
        self.info = json.loads((self.data / "stack.json").read_text())
        self.http = httpx2.Client(
            base_url=self.info["web"], headers={"Authorization": f"Bearer {self.info['token']}"}, timeout=40
        )
        self.redis = redis.Redis.from_url(self.info["redis_url"])
        return took

    def stop(self) -> float:
        """Ctrl-C, and the seconds until everything has ended."""
        assert self.process is not None
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(40)
        took = time.monotonic() - began
        self.let_go()
        return took

    def let_go(self) -> None:
        """Close what this side has open to a stack that has ended."""
        assert self.process is not None
        assert self.process.stdout is not None
        self.process.wait(10)
        self.process.stdout.close()
        self.http.close()
        self.redis.close()

    def family(self) -> list[psutil.Process]:
        """Every process of the stack."""
        assert self.process is not None
        supervisor = psutil.Process(self.process.pid)
        return [supervisor, *supervisor.children(recursive=True)]

    @property
    def pids(self) -> dict[str, int]:
        """The main processes by name, as scripts read them."""
        pids: dict[str, int] = json.loads((self.data / "stack.json").read_text())["pids"]
        return pids

    # --- use -------------------------------------------------------------------------

    def listen_to(self, channel: str, **more: Any) -> None:
        """Start listening, and wait until the channel is ACTIVE."""
        answer = self.http.post("/api/v1/start-listening?wait=15", json={"channel": channel, **more})
        assert answer.status_code == 201, answer.text
        assert answer.json()["subscription_status"] == "ACTIVE", answer.text

    def is_active(self, channel: str) -> bool:
        """Whether the API says that the channel is heard."""
        try:
            answer = self.http.get(f"/api/v1/channels/{channel}")
        except httpx2.TransportError:
            return False
        return answer.status_code == 200 and answer.json()["subscription_status"] == "ACTIVE"

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """Everything stored of a channel, oldest first, page by page."""
        found: list[dict[str, Any]] = []
        address = f"/api/v1/messages?channel={channel}&limit=1000"
        while address:
            answer = self.http.get(address)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["results"]
            address = page["next"]
        return found[::-1]

    def texts(self, channel: str) -> list[str]:
        """The stored texts of a channel, oldest first."""
        return [message["message"] for message in self.messages(channel)]

    @contextmanager
    def postgres(self) -> Iterator[extensions.connection]:
        """A connection to PostgreSQL, to look at what the API does not show."""
        connection = psycopg2.connect(self.info["database_url"])
        connection.autocommit = True
        try:
            yield connection
        finally:
            connection.close()

    def lease(self, role: str) -> tuple[int, int, bool]:
        """Epoch, process id, and whether somebody holds it."""
        with self.postgres() as connection, connection.cursor() as cursor:
            cursor.execute("select epoch, pid, holder <> '' from leases where role = %s", [role])
            row = cursor.fetchone()
        assert row is not None
        return row


def publish_steadily(stack: Stack, channel: str, stop: Callable[[], bool], rate: float = 200.0) -> list[str]:
    """Publish numbered texts until `stop()`; those that at least one listener heard."""
    heard: list[str] = []
    number = 0
    while not stop():
        text = f"{channel} {number}"
        if stack.redis.publish(channel, text):
            heard.append(text)
        number += 1
        time.sleep(1 / rate)
    return heard


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
