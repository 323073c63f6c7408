"""Servers that belong to one test, so that it may kill them."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from relaystack.servers.embedded import Server


class OwnServer:
    """A running server. After `kill`, `restart` brings it back on its port, with its data."""

    def __init__(self, kind: type[Server], directory: Path, *extra: str) -> None:
        self._kind = kind
        self._directory = directory
        self._extra = extra
        self._server = self._start(None)

    @property
    def url(self) -> str:
        """For clients; the same after a restart."""
        return self._server.url

    @property
    def port(self) -> int:
        """The same after a restart."""
        return self._server.port

    def redis(self) -> redis.Redis:
        """A client, if this is a Redis."""
        return redis.Redis.from_url(self.url, socket_timeout=10)

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        process = self._server.process
        assert process is not None
        assert process.exit_code is None, "the server had ended before the fault"
        os.kill(process.pid, signal.SIGKILL)
        self._server.stop()
        assert process.exit_code == -signal.SIGKILL

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still meanwhile, with all its connections."""
        process = self._server.process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process.pid, signal.SIGCONT)

    def copy_to(self, directory: Path) -> None:
        """Its data as they are now."""
        shutil.copytree(self._directory, directory)

    def restart_with(self, directory: Path) -> None:
        """Kill it, and start it again with the data of this copy."""
        self.kill()
        shutil.rmtree(self._directory)
        shutil.copytree(directory, self._directory)
        self.restart()

    def restart(self) -> None:
        """Start it again, and wait until it serves."""
        self._server = self._start(self._server.port)

    def stop(self) -> None:
        """In the end."""
        self._server.stop()

    def _start(self, port: int | None) -> Server:
        log = self._directory.with_suffix(".log")
        server = self._kind(self._directory, log, port=port, extra=self._extra)
        server.start()
        server.wait_until_ready()
        return server
