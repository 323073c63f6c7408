"""Real processes with an endless loop, one after another."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

from tests.integration.conftest import environment_of_a_web_process

TTL_SECONDS = 1.5


class Forked:
    """A context manager: a loop, and the next one whenever that was killed.

    PROGRAM: prints the pid of each, and waits for a line when one has ended
    rule:    which one of it the loop breaks
    log:     where it says what it has to say
    """

    PROGRAM: ClassVar[str]

    def __init__(self, log: Path, rule: str = "careful", **environment: str) -> None:
        self.log = log
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", self.PROGRAM, rule],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment_of_a_web_process(
                    **{
                        "RELAY_LEASE_TTL_SECONDS": str(TTL_SECONDS),
                        "RELAY_LEASE_HEARTBEAT_SECONDS": "0.2",
                        "DJANGO_SETTINGS_MODULE": "relayproject.settings",
                        **environment,
                    }
                ),
            )
        try:
            self.pid = self._read()
        except BaseException:
            self._process.kill()
            self._process.communicate()
            raise

    def _read(self) -> int:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, self.log.read_text()[-2000:]
        return int(line)

    def kill(self) -> None:
        """SIGKILL, and the next one."""
        self.end()
        self.again()

    def end(self) -> None:
        """SIGKILL."""
        os.kill(self.pid, signal.SIGKILL)

    def again(self) -> None:
        """The next one, when this one has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        self.pid = self._read()

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """It stands still meanwhile."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def terminate(self) -> float:
        """SIGTERM; the seconds until it has ended."""
        began = time.monotonic()
        os.kill(self.pid, signal.SIGTERM)
        assert self._process.stdin is not None
        self._process.stdin.close()  # It ends with the sender.
        self._process.wait(20)
        return time.monotonic() - began

    def cpu_seconds(self) -> float:
        """Of a core, so far."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int:
        """Bytes that it has resident."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def complaints(self) -> list[str]:
        """Lines of its log about exceptions that nobody has expected."""
        return [line for line in self.log.read_text().splitlines() if _is_complaint(line)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: Any) -> None:
        if self._process.poll() is None:
            assert self._process.stdin is not None
            if not self._process.stdin.closed:
                self._process.stdin.close()
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


def _is_complaint(line: str) -> bool:
    return "Traceback" in line or "never retrieved" in line or "Exception in callback" in line
