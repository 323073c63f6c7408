"""Where PostgreSQL, Redis and MongoDB are: from the environment, else from a running stack.

`manage.py` beside a stack that `make run` started finds its servers through
`DATA/stack.json`, so that commands can be pasted without exporting anything.
"""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relaybase import env
from relaybase.env import WrongSetting
from relaybase.mongo import address as mongo
from relaybase.postgres import address as postgres
from relaybase.redis import address as redis
from relaybase.redis import broker

READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "DATABASE_URL": postgres.parameters,
    "REDIS_URL": redis.parameters,
    "MONGO_URL": mongo.require_usable,
    "CELERY_BROKER_URL": broker.celery_settings,
}
"""What reads each URL: a ValueError says what is wrong with it."""

_FERNET_KEY: Final = r"[A-Za-z0-9_-]{43}="

_NEEDED: Final = ("DATABASE_URL", "REDIS_URL", "MONGO_URL")


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The URLs of the three servers, the secrets, and where a local stack keeps its data.

    encryption_keys: for `relaybase.postgres.encrypting`, with commas between; empty: none
    """

    database_url: str
    redis_url: str
    mongo_url: str
    secret_key: str
    encryption_keys: str
    data_dir: Path


def find() -> Whereabouts:
    """Read what names the servers.

    Raises:
        WrongSetting: naming the variable that is missing, or cannot be used.
    """
    data_dir = Path(os.environ.get("RELAY_DATA_DIR") or "var").absolute()
    if data_dir.exists() and not data_dir.is_dir():
        raise WrongSetting(f"RELAY_DATA_DIR must be a directory, which {data_dir} is not.")
    found = {name: env.text(name, "") for name in _NEEDED}
    if not all(found.values()):
        stack = _read_stack(data_dir / "stack.json")
        found = {name: url or stack.get(name.lower(), "") for name, url in found.items()}
    missing = [name for name, url in found.items() if not url]
    if missing:
        raise WrongSetting(
            f"{' and '.join(missing)} must be set. "
            f"(Or start everything with `make run`: its {data_dir / 'stack.json'} is read then.)"
        )
    secret_key = env.text("RELAY_SECRET_KEY", "") or _read(data_dir / "secret_key")
    if not secret_key:
        raise WrongSetting("RELAY_SECRET_KEY must be set, to 50 random characters.")
    encryption_keys = env.fitting(
        "RELAY_ENCRYPTION_KEYS",
        _read(data_dir / "encryption_keys"),
        rf"\s*{_FERNET_KEY}\s*(,\s*{_FERNET_KEY}\s*)*",
        "keys as `python manage.py endpoints key` makes them, with commas between",
    )
    for name, url in found.items():
        read(name, url)
    servers = found["DATABASE_URL"], found["REDIS_URL"], found["MONGO_URL"]
    return Whereabouts(*servers, secret_key, encryption_keys, data_dir)


def read(name: str, url: str) -> Any:
    """What the reader of this variable makes of the URL. It connects to nothing.

    Raises:
        WrongSetting: it cannot be used.
    """
    try:
        return READERS[name](url)
    except ValueError as exc:
        raise WrongSetting(f"{name} {exc}.") from None


def _read_stack(path: Path) -> dict[str, str]:
    try:
        stack = json.loads(_read(path) or "{}")
    except ValueError:
        return {}
    return {key: value for key, value in stack.items() if isinstance(value, str)}


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
