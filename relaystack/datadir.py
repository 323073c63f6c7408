"""The data directory: whose it is, who uses it now, and what it remembers from start to start.

* `lock`: held by the running supervisor, whose process id it contains
* `lock.children`: held by the supervisor and by its children, so that a start after a kill waits for them
* `postgres/`, `redis/`, `mongo/`: the servers' data
* `log/`: one file for each process
* `ports.json`: where the servers listened last
* `operator.json`: user and password of the operator
* `secret_key`: Django's
* `encryption_keys`: what secrets are encrypted with in PostgreSQL
* `token`: the operator's, for the API
* `stack.json`: what runs, for scripts
"""

import base64
import fcntl
import os
import pwd
import secrets
import shutil
import time
from pathlib import Path

from relaystack.errors import DataInUse, StackError
from relaystack.files import read_json, write_json, write_private
from relaystack.running.process import Pause

ENOUGH_FREE_BYTES = 500 << 20  # A new MongoDB sets 300 MB aside for its journal.
CHILDREN_DEADLINE_SECONDS = 20.0


class DataDirectory:
    """The directory, held by us from `hold()` to `release()`."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.log = self.path / "log"
        self._lock = -1
        self._children_lock = -1

    @property
    def inherited(self) -> tuple[int, ...]:
        """What every child has to keep open."""
        return (self._children_lock,)

    def hold(self, pause: Pause = time.sleep) -> None:
        """Make the directory if it is not there, and take it.

        Raises:
            DataInUse: another start has it.
            StackError: it belongs to another user, or there is no room.
        """
        self._make()
        self._lock = self._take_lock()
        try:
            self._children_lock = self._take_children_lock(pause)
        except BaseException:
            self.release()
            raise
        self.log.mkdir(mode=0o700, exist_ok=True)

    def release(self) -> None:
        """Let another start have it."""
        for descriptor in (self._children_lock, self._lock):
            if descriptor >= 0:
                os.close(descriptor)
        self._lock = self._children_lock = -1

    def require_free_bytes(self, least: int = ENOUGH_FREE_BYTES) -> None:
        """Refuse to start servers that would soon stop in the middle of a write."""
        free = shutil.disk_usage(self.path).free
        if free < least:
            raise StackError(
                f"The disk is full: {free >> 20} MB are free where {self.path} is, "
                f"and {least >> 20} MB are needed."
            )

    def secret(self, name: str) -> str:
        """A random text that is made once."""
        path = self.path / name
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48))
        return path.read_text().strip()

    def encryption_key(self) -> str:
        """What `RELAY_ENCRYPTION_KEYS` is, made once; as it is now, if somebody has set others there."""
        path = self.path / "encryption_keys"
        if not path.exists():
            write_private(path, base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
        return path.read_text().strip()

    def operator(self) -> tuple[str, str]:
        """User and password of the operator, made once."""
        path = self.path / "operator.json"
        if not path.exists():
            write_json(path, {"user": "admin", "password": secrets.token_urlsafe(12)})
        content = read_json(path)
        return content["user"], content["password"]

    def ports(self) -> dict[str, int]:
        """The servers' ports of the last start."""
        return {
            name: port for name, port in read_json(self.path / "ports.json").items() if isinstance(port, int)
        }

    def remember_ports(self, ports: dict[str, int]) -> None:
        """Keep them for the next start."""
        write_json(self.path / "ports.json", self.ports() | ports)

    def _make(self) -> None:
        if not self.path.exists():
            self.path.mkdir(parents=True)
            # Root's servers run as another user, who has to pass. What is inside is closed to everybody else.
            self.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        owner, me = self._owner(), os.geteuid()
        if owner != me:
            raise StackError(
                f"{self.path} belongs to {_user(owner)} and you are {_user(me)}: start as {_user(owner)}, "
                "or set RELAY_DATA_DIR to another directory."
            )

    def _owner(self) -> int:
        """Who used it first. Not always who made it: an empty directory may have been made for us."""
        try:
            return (self.path / "lock").stat().st_uid
        except FileNotFoundError:
            return os.geteuid()
        except PermissionError:
            return self.path.stat().st_uid

    def _take_lock(self) -> int:
        path = self.path / "lock"
        descriptor = _open(path)
        if not _locked(descriptor):
            os.close(descriptor)
            raise DataInUse(
                f"{self.path} is in use by process {path.read_text().strip() or '(just starting)'}: "
                "stop that one first, or set RELAY_DATA_DIR to another directory."
            )
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return descriptor

    def _take_children_lock(self, pause: Pause) -> int:
        """The children of a killed supervisor die with it, but a server first tidies up."""
        descriptor = _open(self.path / "lock.children")
        deadline = time.monotonic() + CHILDREN_DEADLINE_SECONDS
        while not _locked(descriptor):
            if time.monotonic() > deadline:
                os.close(descriptor)
                pids = read_json(self.path / "stack.json").get("pids", {})
                names = ", ".join(f"{name} {pid}" for name, pid in pids.items())
                raise DataInUse(
                    f"Processes of an earlier start still use {self.path}: end them first ({names})."
                )
            pause(0.05)
        return descriptor


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
