"""Web processes that a benchmark starts itself: Relay's, exactly as a deployment has it, or a peer's."""

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import psutil

from benchmarks.contenders import PEERS
from benchmarks.processes import cpu_seconds, end, family
from benchmarks.relay import Relay
from benchmarks.results import Results
from benchmarks.target import WrongResult
from relayproject.processes import processes
from relaystack.ports import free_port
from tests import node
from tests.acceptance.stack import ROOT

_BEGINNING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Web:
    """A web process that is asked things.

    token: who may do everything there
    """

    process: psutil.Process
    port: int
    token: str

    def cpu(self) -> float:
        """CPU seconds that it has taken so far."""
        return cpu_seconds({"web": family(self.process.pid)})["web"]


@contextmanager
def relay_web(relay: Relay, application: str = "application", **settings: str) -> Iterator[Web]:
    """One more web process of this Relay, without limits. `application`: which one of `relayproject.asgi`."""
    port = free_port()
    environment = {**relay.stack.environment, "RELAY_WEB_REQUESTS_PER_MINUTE": "0", **settings}
    with serving(web_command(port, application), environment, port, relay.stack.info["token"]) as web:
        yield web


@contextmanager
def peer_web(
    relay: Relay,
    results: Results,
    name: str,
    module: str,
    packages: Sequence[str] = ("fastapi", "asyncpg"),
    **settings: str,
) -> Iterator[Web | None]:
    """A program of `peers/` that needs these packages; None if they are not installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        results.skip(name, f"no {' and '.join(missing)}: benchmarks/peers/requirements.txt")
        yield None
        return
    token = relay.stack.info["token"]
    environment = {**os.environ, **_servers(relay), **settings}
    port = free_port()
    argv = [sys.executable, "-m", "uvicorn", f"{module}:app", "--app-dir", str(PEERS)]
    argv += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
    with serving(argv, environment, port, token) as peer:
        yield peer


@contextmanager
def node_web(relay: Relay, results: Results, name: str, script: str, **settings: str) -> Iterator[Web | None]:
    """A program of `peers/live` for Node.js; None if what it needs cannot be installed."""
    try:
        folder = node.installed(PEERS / "live")
    except (AssertionError, subprocess.TimeoutExpired) as exc:
        results.skip(name, str(exc))
        yield None
        return
    port = free_port()
    environment = node.environment(**_servers(relay), **settings, PORT=str(port), NODE_ENV="production")
    argv = [node.NODE, str(folder / script)]
    with serving(argv, environment, port, relay.stack.info["token"]) as peer:
        yield peer


def _servers(relay: Relay) -> dict[str, str]:
    """Where everything is, as programs of `peers/` are told."""
    info = relay.stack.info
    return {
        "DATABASE_URL": urlsplit(info["database_url"])._replace(query="").geturl(),
        "REDIS_URL": info["redis_url"],
        "MONGO_URL": info["mongo_url"],
        "TOKEN": info["token"],
    }


def web_command(port: int, application: str = "application") -> list[str]:
    """How a deployment starts it."""
    [web] = [process for process in processes({"RELAY_WEB_PORT": str(port)}) if process.name == "web"]
    return [argument.replace(":application", f":{application}") for argument in web.argv(sys.executable)]


@contextmanager
def serving(argv: Sequence[str], environment: Mapping[str, str], port: int, token: str) -> Iterator[Web]:
    """The process of this command, once it takes connections; it is ended afterwards.

    Raises:
        WrongResult: it has ended, or takes none within 30 s.
    """
    process = subprocess.Popen(argv, cwd=ROOT, env=environment)
    try:
        _await(process, port)
        yield Web(psutil.Process(process.pid), port, token)
    finally:
        end(family(process.pid))
        process.wait()


def _await(process: "subprocess.Popen[bytes]", port: int) -> None:
    deadline = time.monotonic() + _BEGINNING_SECONDS
    while True:
        if process.poll() is not None:
            raise WrongResult(f"The web process has ended with {process.returncode}.")
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError as exc:
            if time.monotonic() > deadline:
                raise WrongResult("The web process takes no connections.") from exc
            time.sleep(0.1)
        else:
            return


def length_of(head: bytes) -> int:
    """How many bytes the body has that follows the head of an answer."""
    return int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
