"""Where Redis is, as `REDIS_URL` says it, to redis-py and to Celery, which read URLs differently.

The options are those that say how to reach the server. redis-py would take any argument of its own: some end
in a traceback (`?retry=3`), some undo what keeps messages (`?retry_on_timeout=1` appends twice), and how long
an answer may take depends on the question.

No Django: the one-command stack reads it too.
"""

import re
import ssl
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlsplit

from redis.connection import parse_url

SHAPE: Final = "redis://user:password@host:6379/0, rediss:// or unix:///path?db=0"

_ANYWHERE: Final = ("db", "username", "password")
_BY_TCP: Final = ("socket_connect_timeout", "socket_keepalive")
_FILES: Final = ("ca_certs", "certfile", "keyfile")
_BY_TLS: Final = tuple(
    f"ssl_{what}"
    for what in (*_FILES, "ca_path", "ca_data", "cert_reqs", "check_hostname", "ciphers", "min_version")
    + ("password", "include_verify_flags", "exclude_verify_flags")
)
_TAKEN: Final = {
    "redis": _ANYWHERE + _BY_TCP,
    "rediss": _ANYWHERE + _BY_TCP + _BY_TLS,
    "unix": _ANYWHERE,
}


def parameters(url: str) -> dict[str, Any]:
    """What redis-py's connections are to be given: `host`, `db`, `ssl_ca_certs`.

    Raises:
        ValueError: what is wrong with it, as the end of a sentence, without any password.
    """
    scheme = url.partition("://")[0]
    if scheme not in _TAKEN or "://" not in url:
        raise ValueError(f"must be a URL such as {SHAPE}")
    try:
        place = urlsplit(url)
        place.port  # noqa: B018 -- it is read here
    except ValueError:
        raise ValueError(
            "must have a port from 1 to 65535, and %40 for @, %2F for / and %3A for : in a password"
        ) from None
    if scheme == "unix" and not place.path.strip("/"):
        raise ValueError("must name the path of a socket, such as unix:///run/redis.sock?db=0")
    if scheme != "unix" and not re.fullmatch("/?|/[0-9]{1,9}", place.path):
        raise ValueError("must end with the number of a database, such as /0")
    _require_options(scheme, place.query)
    try:
        found: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    except ValueError as exc:
        name = str(exc).partition("'")[2].partition("'")[0]
        raise ValueError(f"has a value for the option {name} that cannot be used") from None
    found.pop("connection_class", None)
    return found


def for_celery(url: str) -> dict[str, Any]:
    """The same for Celery's settings, without what Celery itself would take from the URL, as text.

    Keys: `broker_url`, `broker_use_ssl` if it is over TLS, `broker_transport_options`.
    """
    found = parameters(url)
    user, password = (quote(found.get(name) or "", safe="") for name in ("username", "password"))
    login = f"{user}:{password}@" if user or password else ""
    number = found.get("db", 0)
    if "path" in found:
        broker = f"redis+socket://{login}{quote(found['path'])}?virtual_host={number}"
        return {"broker_url": broker, "broker_transport_options": {}}
    host = found.get("host", "localhost")
    where = f"[{host}]" if ":" in host else host
    scheme = url.partition("://")[0]
    settings = {
        "broker_url": f"{scheme}://{login}{where}:{found.get('port', 6379)}/{number}",
        "broker_transport_options": {name: found[name] for name in _BY_TCP if name in found},
    }
    if scheme == "rediss":
        settings["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED} | {
            name: value for name, value in found.items() if name.startswith("ssl_")
        }
    return settings


def _require_options(scheme: str, query: str) -> None:
    given = parse_qsl(query, keep_blank_values=True)
    for name, value in given:
        if name not in _TAKEN[scheme]:
            raise ValueError(
                f"has the option {name}, which Relay does not take with {scheme}://: "
                f"it takes {', '.join(_TAKEN[scheme])}"
            )
        if not value:
            raise ValueError(f"has the option {name} without a value")
        if name.removeprefix("ssl_") in _FILES:
            _require_readable(name, value)
    options = dict(given)
    if options.get("ssl_cert_reqs", "none") not in {"none", "optional", "required"}:
        raise ValueError("has the option ssl_cert_reqs, which must be none, optional or required")
    if not re.fullmatch("[0-9]{1,9}", options.get("db", "0")):
        raise ValueError("has the option db, which must be the number of a database")


def _require_readable(name: str, path: str) -> None:
    try:
        with open(path, "rb"):  # noqa: PTH123 -- it is opened as it is written
            pass
    except OSError as exc:
        raise ValueError(f"has the option {name}: {path} cannot be read: {exc.strerror}") from None
