"""A shell for the commands in the documentation, beside a running stack."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from relaystack.ports import free_port
from relaystack.servers.binaries import postgres_programs
from tests.acceptance.documented import Command
from tests.acceptance.stack import ROOT, Stack
from tests.signals import heeded

# Ports that may be taken on a machine where tests run.
PORTS = ("--port=5555",)


class Shell:
    """A shell in a directory that looks like the project's after `make run`."""

    def __init__(self, stack: Stack, room: Path) -> None:
        room.mkdir()
        for path in ROOT.iterdir():
            if path.name not in {".git", ".venv", "var"}:
                (room / path.name).symlink_to(path)
        (room / ".venv").symlink_to(sys.prefix)
        (room / "var").symlink_to(stack.data)
        # Without this, curl is content with an answer that is an error.
        (room / ".curlrc").write_text("fail-with-body\n")
        self._room, self._state = room, room / "exported"
        programs = [str(Path(sys.executable).parent), str(postgres_programs()), os.environ["PATH"]]
        self._environment = {
            **stack.environment,
            **{name.upper(): stack.info[name] for name in ("database_url", "redis_url", "mongo_url")},
            "PATH": os.pathsep.join(programs),
            "CURL_HOME": str(room),
            "RELAY": stack.info["web"],
            "TOKEN": stack.info["token"],
        }

    def run(self, command: Command, instead: Mapping[str, str] | None = None) -> str:
        """What it prints. The next one has what it exports, and not what `instead` exports before it."""
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (instead or {}).items())
        keep = "" if instead else f"\nexport -p > '{self._state}'"
        done = subprocess.run(
            ["sh", "-e", "-c", f"{self._before()}{exports}{command.text}{keep}"],
            cwd=self._room,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command.text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_until(self, command: Command, awaited: str) -> None:
        """Start it, wait for some output, and press Ctrl-C."""
        text = command.text
        for port in PORTS:
            text = text.replace(port, f"--port={free_port('127.0.0.1')}")
        with heeded(signal.SIGINT):
            process = subprocess.Popen(
                ["sh", "-e", "-c", f"{self._before()}exec {text}"],
                cwd=self._room,
                env={**self._environment, "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert process.stdout is not None
        said = ""
        with process:
            try:
                for line in process.stdout:
                    said += line
                    if awaited in line:
                        break
                assert awaited in said, f"{command.text}\n{said}"
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=60)
            finally:
                process.kill()

    def end_what_is_left(self) -> None:
        """End what was started in the background here and was not ended by a command."""
        for process in psutil.process_iter(["cwd"]):
            if process.info["cwd"] == str(self._room.resolve()):
                process.kill()

    def _before(self) -> str:
        return f". '{self._state}'\n" if self._state.exists() else ""
