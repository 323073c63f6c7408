"""Settings are read from the environment once, strictly.

A value that cannot be used ends the start with a sentence that names the variable and says what it may be:
a setting that is silently taken for its default is found out in production. An empty variable is one that is
not set. Standard library only: the one-command stack reads with this as well.
"""

import os
import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final

_DAY: Final = 86_400.0


class WrongSetting(SystemExit):
    """A setting that cannot be used: it ends the program, with its sentence and without a traceback.

    No `Exception`: those Django, Celery and uvicorn catch, each in its own way, and go on or say something
    else.
    """


def text(name: str, default: str) -> str:
    """The variable as it is. `NAME_FILE` may name a file that holds it instead."""
    value, path = os.environ.get(name), os.environ.get(f"{name}_FILE")
    if path and value:
        raise WrongSetting(f"Set {name} or {name}_FILE, not both.")
    if path:
        try:
            value = Path(path).read_text().strip()
        except OSError as exc:
            raise WrongSetting(f"{name}_FILE: {path} cannot be read: {exc.strerror}.") from exc
        except ValueError as exc:
            raise WrongSetting(f"{name}_FILE: {path} cannot be read: it is not text in UTF-8.") from exc
    return value or default


def fitting(name: str, default: str, pattern: str, what: str) -> str:
    """Text that is wholly of this pattern. The sentence says `what` it may be, not what it is: no secrets."""
    value = text(name, default)
    if value != default and not re.fullmatch(pattern, value):
        raise WrongSetting(f"{name} must be {what}.")
    return value


def one_of(name: str, default: str, choices: Sequence[str]) -> str:
    """One of the choices, in small letters or capitals."""
    value = text(name, default)
    for choice in choices:
        if choice.lower() == value.lower():
            return choice
    raise WrongSetting(f"{name} must be {', '.join(choices[:-1])} or {choices[-1]}, not {value!r}.")


def whole(name: str, default: int, *, least: int = 0, most: int = 2**63 - 1) -> int:
    """A whole number between `least` and `most`."""
    value = os.environ.get(name)
    if not value:
        return default
    try:
        number = int(value)
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise WrongSetting(f"{name} must be a whole number from {least} to {most}, not {value!r}.")
    return number


def seconds(name: str, default: float, *, least: float = 0.001, most: float = _DAY) -> float:
    """A number of seconds between `least` and `most`."""
    value = os.environ.get(name)
    if not value:
        return default
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not least <= number <= most:
        raise WrongSetting(f"{name} must be a number of seconds from {least:g} to {most:.0f}, not {value!r}.")
    return number


def flag(name: str, *, default: bool) -> bool:
    """`1`, `true`, `yes`, `on` or their opposites."""
    value = os.environ.get(name)
    if not value:
        return default
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"0", "false", "no", "off"}:
        return False
    raise WrongSetting(f"{name} must be true or false, not {value!r}.")


def listing(name: str, default: str = "", *, pattern: str = ".+", what: str = "values") -> list[str]:
    """Values with commas between, each wholly of the pattern; at least one if the variable is set."""
    value = os.environ.get(name)
    parts = [part.strip() for part in (value or default).split(",") if part.strip()]
    wrong = [part for part in parts if not re.fullmatch(pattern, part)]
    if wrong or (value and not parts):
        shown = wrong[0] if wrong else value
        raise WrongSetting(f"{name} must be {what} with commas between, not {shown!r}.")
    return parts


def networks(name: str) -> list[IPv4Network | IPv6Network]:
    """Networks as CIDR has them, or single addresses, with commas between; none if it is not set."""
    found = []
    for part in listing(name):
        try:
            network = ip_network(part)
        except ValueError:
            raise WrongSetting(
                f"{name} must be networks such as 10.0.0.0/8 or addresses with commas between, not {part!r}."
            ) from None
        if isinstance(network, IPv6Network) and _is_never_met(network):
            raise WrongSetting(
                f"{name} must be networks without a zone (%), and with IPv4 written as IPv4, not {part!r}."
            )
        found.append(network)
    return found


def _is_never_met(network: IPv6Network) -> bool:
    """Whoever is looked at has no zone, and is an IPv4 address if there is one in it."""
    first = network.network_address
    return first.scope_id is not None or (network.prefixlen >= 96 and first.ipv4_mapped is not None)
