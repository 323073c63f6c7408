"""One child process: how it is started, watched and ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from relaystack.running import launch
from relaystack.running.accounts import Account

Pause = Callable[[float], None]
"""Rests for so many seconds. It may raise StopRequested, which is how a start is broken off."""

LOG_LIMIT_BYTES = 10 << 20


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, where its output goes, and which signal ends it.

    `death_signal` is what Linux sends when we die without having said goodbye. Relay's programs are built to
    be killed at any point: they get SIGKILL, which leaves nothing half stopped. A server gets its own.
    """

    name: str
    argv: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    directory: Path = Path("/")
    stop_signal: signal.Signals = signal.SIGTERM
    death_signal: signal.Signals = signal.SIGKILL
    account: Account | None = None
    inherited: tuple[int, ...] = field(default=(), kw_only=True)
    """File descriptors that stay open in the child: it holds the lock on the data directory as well."""

    def start(self) -> "Process":
        """Start it.

        Raises:
            RuntimeError: outside the main thread. The death signal comes when the *thread* that forked ends.
        """
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("Child processes must be started by the main thread.")
        rotate(self.log)
        launcher = [
            sys.executable,
            "-I",
            "-S",
            launch.__file__,
            str(os.getpid()),
            str(int(self.death_signal)),
        ]
        with self.log.open("ab") as log:
            start = log.tell()  # now: the child shares our position in the file, and moves it
            popen = subprocess.Popen(
                [*launcher, str(self.account or "-"), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(self.environment),
                cwd=self.directory,
                pass_fds=self.inherited,
                start_new_session=True,  # else Ctrl-C would reach all processes at once, databases first
            )
            return Process(self, popen, start)


class Process:
    """A started command. It leads a process group of its own."""

    def __init__(self, command: Command, popen: subprocess.Popen[bytes], log_start: int) -> None:
        self.command = command
        self.pid = popen.pid
        self._popen = popen
        self._log_start = log_start
        self._group_is_gone = False

    @property
    def exit_code(self) -> int | None:
        """None while it runs, negative if a signal ended it."""
        return self._popen.poll()

    def output(self) -> str:
        """What it has written since it was started."""
        with self.command.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def ask_to_stop(self) -> None:
        """Send the stop signal to the process, which ends its own children."""
        if self.exit_code is None:
            self._popen.send_signal(self.command.stop_signal)

    def signal_group(self, number: int) -> bool:
        """Signal whatever is left of its process group. False when nothing is, and from then on for ever.

        For ever, because the number of a group that is gone may be given to a stranger's.
        """
        if not self._group_is_gone:
            try:
                os.killpg(self.pid, number)
            except (ProcessLookupError, PermissionError):  # the latter is macOS's word for a group of zombies
                self._group_is_gone = True
        return not self._group_is_gone

    def kill(self) -> None:
        """Kill whatever is left of its process group, and collect the process."""
        self.signal_group(signal.SIGKILL)
        with suppress(
            subprocess.TimeoutExpired
        ):  # stuck in the kernel, on a network disk say: nobody can help
            self._popen.wait(5.0)


def stop_all(processes: Sequence[Process], grace_seconds: float, rest: Pause = time.sleep) -> None:
    """Ask all of them at once, and kill the process groups that are left after the grace."""
    for process in processes:
        process.ask_to_stop()
    deadline = time.monotonic() + grace_seconds
    while time.monotonic() < deadline and any(process.exit_code is None for process in processes):
        rest(0.02)
    for process in processes:
        process.kill()


def run(command: Command, pause: Pause) -> Process:
    """Run it to its end. It is stopped if the pause raises."""
    process = command.start()
    try:
        while process.exit_code is None:
            pause(0.02)
    except BaseException:
        stop_all([process], 2.0)
        raise
    return process


def rotate(log: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> None:
    """Set a large log aside as `NAME.1`, so that two files bound what the logs of many starts take."""
    if log.exists() and log.stat().st_size > limit_bytes:
        log.replace(log.with_name(log.name + ".1"))


def describe_exit(code: int) -> str:
    """`exit code 3`, `SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
