"""What the tests of the stack share."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from relaystack.servers.embedded import Server
from relaystack.servers.mongo import Mongo
from relaystack.servers.postgres import NOT_DURABLE, Postgres
from relaystack.servers.valkey import Valkey
from tests.signals import heeded

ROOT = Path(__file__).parents[3]

SERVERS: dict[str, Callable[..., Server]] = {
    "postgres": lambda directory, log, **options: Postgres(directory, log, extra=NOT_DURABLE, **options),
    "redis": Valkey,
    "mongo": Mongo,
}


def is_running(pid: int) -> bool:
    """Not a zombie either: not every machine's first process collects them at once."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.fixture(autouse=True)
def hang_ups() -> Iterator[None]:
    """Some of these tests send them."""
    with heeded(signal.SIGHUP):
        yield


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make a server of a kind, by default with its data where the last one of that kind had them."""
    made: list[Server] = []

    def make(kind: str, directory: Path | None = None, **options: object) -> Server:
        server = SERVERS[kind](directory or tmp_path / kind, tmp_path / f"{kind}.log", **options)
        made.append(server)
        return server

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Make an executable that runs lines of shell."""

    def make(name: str, lines: str) -> Path:
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
        return path

    return make


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Run a Python module of the project as a process of its own, without the servers of this test run."""
    started: list[subprocess.Popen[str]] = []
    ours = ("RELAY_", "DATABASE_URL", "REDIS_URL", "MONGO_URL", "CELERY_")
    kept = {key: value for key, value in os.environ.items() if not key.startswith(ours)}

    def run(*arguments: str, **environment: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env={**kept, **environment},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()
