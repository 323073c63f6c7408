"""Where PostgreSQL, Redis and MongoDB are: from the environment, else from a running stack.

`manage.py` beside a stack that `make run` started finds its servers through
`DATA/stack.json`, so that commands can be pasted without exporting anything.
"""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from relaybase import env


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """The URLs of the three servers, the secret key, and where a local stack keeps its data."""

    database_url: str
    redis_url: str
    mongo_url: str
    secret_key: str
    data_dir: Path


def find() -> Whereabouts:
    """Read what names the servers.

    Raises:
        ImproperlyConfigured: naming the variables that are missing.
    """
    data_dir = Path(os.environ.get("RELAY_DATA_DIR", "var")).absolute()
    found = {name: env.text(name, "") for name in ("DATABASE_URL", "REDIS_URL", "MONGO_URL")}
    if not all(found.values()):
        stack = _read_stack(data_dir / "stack.json")
        found = {name: url or stack.get(name.lower(), "") for name, url in found.items()}
    missing = [name for name, url in found.items() if not url]
    if missing:
        raise ImproperlyConfigured(
            f"{' and '.join(missing)} must be set. "
            f"(Or start everything with `make run`: its {data_dir / 'stack.json'} is read then.)"
        )
    secret_key = env.text("RELAY_SECRET_KEY", "") or _read(data_dir / "secret_key")
    if not secret_key:
        raise ImproperlyConfigured("RELAY_SECRET_KEY must be set, to 50 random characters.")
    return Whereabouts(found["DATABASE_URL"], found["REDIS_URL"], found["MONGO_URL"], secret_key, data_dir)


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
