"""A PgBouncer of the test's own, where it is installed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

CONFIGURATION = """\
[databases]
{database} = host={host} port={port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {own_port}
unix_socket_dir =
auth_type = plain
auth_file = {users}
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
"""
"""As it comes, but for the pool: a few connections, which each transaction gets any of."""


def installed() -> str | None:
    """The program."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def running(program: str, url: str, directory: Path) -> Iterator[str]:
    """The URL of one before this database. `directory` is new, and another user can read it."""
    directory.mkdir()
    directory.chmod(0o755)
    behind = urlsplit(url)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        own_port = probe.getsockname()[1]
    users = directory / "users.txt"
    users.write_text(f'"{behind.username}" "{behind.password}"\n')
    configuration = directory / "pgbouncer.ini"
    configuration.write_text(
        CONFIGURATION.format(
            database=behind.path[1:], host=behind.hostname, port=behind.port, own_port=own_port, users=users
        )
    )
    log = directory / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [program, str(configuration)],
            stdout=output,
            stderr=subprocess.STDOUT,
            user="nobody" if os.geteuid() == 0 else None,  # It refuses to be root.
        )
    try:
        deadline = time.monotonic() + 10
        while b"process up" not in log.read_bytes():
            assert process.poll() is None, f"PgBouncer ended: {log.read_text()}"
            assert time.monotonic() < deadline, f"PgBouncer does not come up: {log.read_text()}"
            time.sleep(0.05)
        yield behind._replace(netloc=f"{behind.username}:{behind.password}@127.0.0.1:{own_port}").geturl()
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(10)
