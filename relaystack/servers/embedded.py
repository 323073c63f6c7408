"""What the three embedded servers have in common."""

import os
import signal
import socket
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from relaystack import ports
from relaystack.errors import PortTaken, StackError
from relaystack.running.accounts import Account, give, server_account
from relaystack.running.process import Command, Pause, Process, stop_all
from relaystack.servers.failures import ADDRESS_IN_USE, Failure, Rule

ANSWER_TIMEOUT_SECONDS = 2  # Short: a stranger on the port may accept a connection and then say nothing.
READY_DEADLINE_SECONDS = 120.0  # A crash recovery takes its time.
ATTEMPTS = 5


class Server(ABC):
    """A server with its data in `directory` and its output in `log`.

    `port` asks for that port and no other; `preferred_port` is taken if it is free; otherwise any will do.
    `start()` only begins, so that several servers can come up at the same time; `wait_until_ready()` follows.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    setting: ClassVar[str]
    stop_seconds: ClassVar[float] = 10.0
    rules: ClassVar[Sequence[Rule]] = ()
    transient: ClassVar[str] = (
        "\0"  # Output after which it is worth while to start again. By default none is.
    )

    def __init__(
        self,
        directory: Path,
        log: Path,
        *,
        port: int | None = None,
        preferred_port: int | None = None,
        extra: Sequence[str] = (),
        inherited: tuple[int, ...] = (),
    ) -> None:
        self.directory = directory.absolute()
        self.log = log.absolute()
        self.extra = tuple(extra)
        self.inherited = inherited
        self.process: Process | None = None
        self._asked_port = port
        self._preferred_port = preferred_port
        self._port: int | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """The address for clients, with the password if there is one."""

    @abstractmethod
    def program(self) -> Path:
        """The program's file."""

    @abstractmethod
    def command(self) -> Command:
        """What runs the server on the chosen port."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether this very server, and not another one on its port, serves a client."""

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._port is None:
            raise RuntimeError(f"{self.title} has not been started.")
        return self._port

    @property
    def account(self) -> Account | None:
        """Whom it runs as, None for whoever we are."""
        return server_account(self.directory, self.program())

    def start(self, pause: Pause = time.sleep) -> None:
        """Begin to start it."""
        self.make_directory()
        self._port = self._choose_port()
        self.process = self.command().start()

    def wait_until_ready(self, pause: Pause = time.sleep) -> None:
        """Wait until it serves. A port that another process took meanwhile is replaced by another port.

        Raises:
            StackError: it ended, or it does not answer.
        """
        deadline = time.monotonic() + READY_DEADLINE_SECONDS
        attempts = 1
        while True:
            if self._running().exit_code is not None:
                self._try_again(pause, attempts)
                attempts += 1
            elif self.answers():
                return
            if time.monotonic() > deadline:
                raise StackError(f"{self.title} does not answer on port {self.port}; see {self.log}")
            pause(0.02)

    def make_directory(self) -> None:
        """Make the data directory, closed to all but the server."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        give([self.directory], self.account)

    def stop(self) -> None:
        """Stop it, by SIGKILL if it takes too long."""
        if self.process is not None:
            stop_all([self.process], self.stop_seconds)

    def make_command(
        self, argv: Sequence[str | Path], stop_signal: signal.Signals = signal.SIGTERM
    ) -> Command:
        """A command with what all programs of a server share."""
        kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
        return Command(
            self.name,
            [str(argument) for argument in argv],
            self.log,
            {key: os.environ[key] for key in kept if key in os.environ} | {"LC_ALL": "C", "TZ": "UTC"},
            stop_signal=stop_signal,
            death_signal=stop_signal,
            account=self.account,
            inherited=self.inherited,
        )

    def accepts_connections(self) -> bool:
        """Whether anybody listens on the port: the cheap question before a driver is asked."""
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def explain(self, process: Process) -> str:
        """One sentence that says why a program of this server ended."""
        code = process.exit_code or 0
        failure = Failure(self.title, self.setting, self.directory, self.log, code, process.output())
        return failure.sentence(self.rules)

    def _running(self) -> Process:
        if self.process is None:
            raise RuntimeError(f"{self.title} has not been started.")
        return self.process

    def _choose_port(self) -> int:
        if self._asked_port is not None:
            return self._asked_port
        if self._preferred_port is not None and ports.is_free(self._preferred_port):
            return self._preferred_port
        return ports.free_port()

    def _try_again(self, pause: Pause, attempts: int) -> None:
        """Start it once more after an end that is nobody's fault, else say why it ended."""
        process = self._running()
        output = process.output()
        address_in_use = ADDRESS_IN_USE in output
        if address_in_use and self._asked_port is not None:
            raise PortTaken(f"{self.title}'s port {self.port} is taken: free it or choose another.")
        if attempts == ATTEMPTS or not (address_in_use or self.transient in output):
            raise StackError(self.explain(process))
        if address_in_use:
            self._port = ports.free_port()
        else:
            pause(0.5)
        self.process = self.command().start()
