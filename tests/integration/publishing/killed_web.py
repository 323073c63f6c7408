"""A web process that is killed again and again, and is there again at once (`forked_web`)."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from tests.integration.conftest import environment_of_a_web_process


class Web:
    """One web process after another. `kill` ends the one that there is, and has the next one begin.

    program:     which module, and its arguments
    environment: beside that of a web process
    """

    def __init__(
        self,
        redis_url: str,
        program: Sequence[str] = ("tests.integration.publishing.forked_web",),
        **environment: str,
    ) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_of_a_web_process(
                REDIS_URL=redis_url, RELAY_WEB_REQUESTS_PER_MINUTE="0", **environment
            ),
        )
        try:
            self.url = f"http://127.0.0.1:{self._read()}"
            self._pid = self._read()
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise

    @property
    def pid(self) -> int:
        """Of the one that there is."""
        return self._pid

    def _read(self) -> int:
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def kill(self) -> None:
        os.kill(self._pid, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self._pid = self._read()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The one that there is stands still meanwhile."""
        os.kill(self._pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self._pid, signal.SIGCONT)

    def stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        os.kill(self._pid, signal.SIGKILL)
        self._process.wait(10)
        if self._process.stdout is not None:
            self._process.stdout.close()
