"""Where PostgreSQL is, as `DATABASE_URL` says it: libpq reads it, and so all of libpq's options are honoured.

No Django: the one-command stack reads it too.
"""

import re
from typing import Any, Final
from urllib.parse import unquote

import psycopg2
from psycopg2.extensions import parse_dsn

SHAPE: Final = "postgres://user:password@host:5432/relay"

_SCHEMES: Final = ("postgres", "postgresql", "psql", "pgsql")
_NUMBERS: Final = ("connect_timeout", "tcp_user_timeout", "keepalives") + tuple(
    f"keepalives_{what}" for what in ("idle", "interval", "count")
)
_FILES: Final = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
_NOWHERE: Final = "/nowhere"


def parameters(url: str) -> dict[str, str]:
    """What libpq is to be given, by its own names: `host`, `dbname`, `sslmode`.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence, without any password.
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() not in _SCHEMES or not rest:
        raise ValueError(f"must be a URL such as {SHAPE}")
    try:
        found: dict[str, str] = parse_dsn(f"postgresql://{_escaped(rest)}")
    except psycopg2.Error:
        # What libpq says may repeat the password.
        given = [part for part in rest.partition("?")[2].split("&") if part != "ssl=true"]  # JDBC's
        names = (unquote(part.partition("=")[0]) for part in given)
        if unknown := next((name for name in names if not _is_known(name)), None):
            raise ValueError(f"has the option {unknown}, which libpq does not know") from None
        raise ValueError(f"must be a URL such as {SHAPE}, with %25 for a percent sign") from None
    if not found.get("service") and (found.get("dbname") or "/").startswith("/"):
        raise ValueError(f"must name a database, as {SHAPE} does (and a socket as ?host=/directory)")
    _require_usable(found)
    return found


def for_django(url: str) -> dict[str, Any]:
    """The same, as an entry of `DATABASES` names it, with time limits where the URL has none of its own."""
    found = parameters(url)
    names = {"dbname": "NAME", "user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
    return {
        **{theirs: found.pop(ours, "") for ours, theirs in names.items()},
        "OPTIONS": {
            "connect_timeout": 5,
            "tcp_user_timeout": 10_000,  # A link that swallows everything is noticed in 10 s, not in 15 min.
            **found,
        },
    }


def _escaped(rest: str) -> str:
    """With what libpq, unlike others, does not take in a password as it is."""
    authority, *others = re.split("([/?])", rest, maxsplit=1)
    user, at, hosts = authority.rpartition("@")
    user = re.sub("%(?![0-9A-Fa-f]{2})", "%25", user).replace("@", "%40")
    return "".join((user, at, hosts, *others))


def _is_known(option: str) -> bool:
    try:
        parse_dsn(f"{option}=''")
    except psycopg2.Error:
        return False
    return True


def _require_usable(found: dict[str, str]) -> None:
    for name in _NUMBERS:
        if name in found and not re.fullmatch("-?[0-9]{1,9}", found[name]):
            raise ValueError(f"has the option {name}, which must be a whole number")
    for port in found.get("port", "").split(","):
        if port and not (re.fullmatch("[0-9]{1,5}", port) and 0 < int(port) < 65_536):
            raise ValueError("must have a port from 1 to 65535")
    for name in _FILES:
        if (path := found.get(name, "system")) not in {"", "system"}:
            _require_readable(name, path)
    # What options may be libpq knows best. It says so before it connects, here to a socket that is not there.
    hosts = ",".join(_NOWHERE for _ in found.get("host", "").split(","))
    elsewhere: dict[str, Any] = {**found, "host": hosts, "hostaddr": ""}
    try:
        psycopg2.connect(**elsewhere).close()
    except psycopg2.Error as exc:
        said = str(exc).partition("\n")[0].strip()
        if _NOWHERE not in said:
            raise ValueError(f"is not for libpq: {said}") from None


def _require_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 -- libpq opens it as it is written, too
            pass
    except OSError as exc:
        raise ValueError(f"has the option {name}: {path} cannot be read: {exc.strerror}") from None
