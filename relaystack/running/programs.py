"""Relay's own programs, and how the stack runs them."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import relayproject
from relayproject.processes import processes
from relaystack.running.process import Command
from relaystack.running.supervisor import Stage

PROJECT = Path(relayproject.__file__).parent.parent
BEAT = "beat"
WEB = "web"


@dataclass(frozen=True, slots=True)
class Programs:
    """Makes commands that share an environment, a log directory and the lock of the data directory."""

    environment: Mapping[str, str]
    log: Path
    inherited: tuple[int, ...]

    def lasting(self) -> list[tuple[Command, Stage]]:
        """Those that keep running."""
        return [
            (self._command(process.name, process.argv(sys.executable)), stage_of(process.name))
            for process in processes(self.environment)
        ]

    def manage(self, name: str, *arguments: str, **environment: str) -> Command:
        """A management command that ends by itself."""
        return self._command(name, [sys.executable, str(PROJECT / "manage.py"), *arguments], **environment)

    def ensure_operator(self, user: str, password: str, token: str) -> Command:
        """Sees that the operator can log in, and a program with the token."""
        login = {
            "RELAY_OPERATOR_USER": user,
            "RELAY_OPERATOR_PASSWORD": password,
            "RELAY_OPERATOR_TOKEN": token,
        }
        return self.manage("ensure_operator", "ensure_operator", **login)

    def _command(self, name: str, argv: Sequence[str], **environment: str) -> Command:
        log = self.log / f"{name}.log"
        merged = {**self.environment, **environment}
        return Command(name, argv, log, merged, directory=PROJECT, inherited=self.inherited)


def stage_of(name: str) -> Stage:
    """When it is stopped."""
    return Stage.BEAT if name == BEAT else Stage.PROGRAM
