"""Settings are read from the environment once, strictly.

A value that cannot be read ends the start with a sentence that names the variable:
a setting that is silently taken for its default is found out in production.
"""

import os
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """The variable as it is. `NAME_FILE` may name a file that holds it instead."""
    path = os.environ.get(f"{name}_FILE")
    if path and name in os.environ:
        raise ImproperlyConfigured(f"Set {name} or {name}_FILE, not both.")
    if path:
        try:
            return Path(path).read_text().strip()
        except OSError as exc:
            raise ImproperlyConfigured(f"{name}_FILE: {path} cannot be read: {exc.strerror}.") from exc
    return os.environ.get(name, default)


def whole(name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number between `least` and `most`."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ImproperlyConfigured(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
    return number


def seconds(name: str, default: float, *, least: float = 0.001) -> float:
    """A number of seconds, `least` or more."""
    value = os.environ.get(name)
    if value is None:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not least <= number < float("inf"):
        raise ImproperlyConfigured(f"{name} must be a number of seconds, {least} or more, not {value!r}.")
    return number


def flag(name: str, *, default: bool) -> bool:
    """`1`, `true`, `yes`, `on` or their opposites."""
    value = os.environ.get(name)
    if value is None:
        return default
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be true or false, not {value!r}.")


def listing(name: str, default: str = "") -> list[str]:
    """Values with commas between."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]
