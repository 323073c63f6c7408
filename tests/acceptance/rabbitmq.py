"""A RabbitMQ of the test's own, where the server is installed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

DEBIANS = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
"""The one on Debian's PATH insists on a user and on directories of its own."""

CONFIGURATION = "consumer_timeout = 315360000000\n"
"""As docs/operations.md says for RabbitMQ before 3.12."""


def installed() -> str | None:
    """The server's start script."""
    return str(DEBIANS) if DEBIANS.exists() else shutil.which("rabbitmq-server")


@contextmanager
def running(script: str, directory: Path) -> Iterator[str]:
    """The URL of a server that keeps everything in `directory`, which is new."""
    directory.mkdir()
    (directory / "rabbitmq.conf").write_text(CONFIGURATION)
    port, distribution, names = _free_ports(3)
    environment = os.environ | {
        "HOME": str(directory),  # Erlang's cookie
        "ERL_EPMD_PORT": str(names),
        "RABBITMQ_NODENAME": f"relay{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_MNESIA_BASE": str(directory / "mnesia"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_LOG_BASE": str(directory),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq.conf"),
    }
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [script], env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 60
        while b"startup complete" not in log.read_bytes():
            assert process.poll() is None, f"RabbitMQ ended: {log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"RabbitMQ does not come up: {log.read_text()[-2000:]}"
            time.sleep(0.1)
        yield f"amqp://guest:guest@127.0.0.1:{port}//"
    finally:
        _end(process)
        # Erlang's name server, which the first node starts for all.
        subprocess.run(["epmd", "-kill"], env=environment, check=False, stdout=subprocess.DEVNULL)


def _end(process: subprocess.Popen[bytes]) -> None:
    """The script, and Erlang, which may outlive it for a moment."""
    deadline = time.monotonic() + 20
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            process.poll()
            os.killpg(process.pid, 0)
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [one.getsockname()[1] for one in sockets]
