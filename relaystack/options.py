"""What the operator asked for: from the command line, else from the environment."""

import argparse
import os
import re
import runpy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from relaybase.env import WrongSetting
from relaystack import ports
from relaystack.errors import PortTaken, StackError

URL_NAMES = ("DATABASE_URL", "REDIS_URL", "MONGO_URL")

DESCRIPTION = """\
Start everything Relay needs, and keep it running until Ctrl-C: PostgreSQL, Valkey and
MongoDB, the web server, the Celery workers and beat.

Set DATABASE_URL, REDIS_URL or MONGO_URL to use a server of your own instead.
Each option can also be set by the variable in brackets."""


@dataclass(frozen=True, slots=True)
class Options:
    """`urls` are the servers to be used instead of embedded ones; `environment` is what all children get."""

    data_dir: Path
    host: str
    port: int
    urls: Mapping[str, str]
    environment: Mapping[str, str]

    @property
    def web_host(self) -> str:
        """Where a client on this machine finds the web server."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 -- not binding

    @property
    def web_address(self) -> str:
        """The base URL, without a slash at its end."""
        host = f"[{self.web_host}]" if ":" in self.web_host else self.web_host
        return f"http://{host}:{self.port}"


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Read and check them.

    Raises:
        StackError: a value cannot be read, or the web port is taken.
    """
    parser = argparse.ArgumentParser(
        prog="python -m relaystack",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data-dir", metavar="DIRECTORY", help="default var [RELAY_DATA_DIR]")
    parser.add_argument(
        "--host", metavar="ADDRESS", help="of the web server, default 127.0.0.1 [RELAY_WEB_HOST]"
    )
    parser.add_argument(
        "--port", metavar="PORT", help="of the web server, default 8000, 0 = any [RELAY_WEB_PORT]"
    )
    given = parser.parse_args(arguments)
    host = given.host or environ.get("RELAY_WEB_HOST") or "127.0.0.1"
    return Options(
        data_dir=Path(given.data_dir or environ.get("RELAY_DATA_DIR") or "var").absolute(),
        host=host,
        port=_web_port(host, given.port or environ.get("RELAY_WEB_PORT") or "8000"),
        urls={name: url for name in URL_NAMES if (url := read_text(environ, name))},
        environment={
            key: value for key, value in clean(environ).items() if key.removesuffix("_FILE") not in URL_NAMES
        },
    )


OURS = r"RELAY_\w+|OTEL_\w+|SENTRY_\w+|(DATABASE|REDIS|MONGO|CELERY_BROKER)_URL(_FILE)?"
"""What is meant for Relay, and for what it is told to report to."""

SYSTEMS = (
    r"PATH|HOME|USER|LOGNAME|SHELL|PWD|TERM|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|TMP|TEMP|XDG_\w+"
    r"|LD_LIBRARY_PATH|DYLD_\w+|SSL_CERT_(FILE|DIR)|(?i:https?|no|all)_(?i:proxy)"
)
"""What any program may need to find its way on this machine."""


def clean(environ: Mapping[str, str]) -> dict[str, str]:
    """Without what stands there for other programs.

    Python, libpq, Celery, Django and uvicorn all read variables of their own (PYTHONPATH, PGSERVICE,
    CELERY_LOADER, DJANGO_SETTINGS_MODULE, WEB_CONCURRENCY), which somebody has set for something else.
    """
    return {name: value for name, value in environ.items() if re.fullmatch(f"{OURS}|{SYSTEMS}", name)}


STAND_INS: Mapping[str, str] = {
    "DATABASE_URL": "postgres://localhost/relay",
    "REDIS_URL": "redis://localhost",
    "MONGO_URL": "mongodb://localhost",
    "RELAY_SECRET_KEY": "made at the first start",
}
"""For what the stack itself brings."""


def require_settings() -> None:
    """See whether Relay's programs can use what is set, before anything is started or made.

    Raises:
        StackError: a setting cannot be used.
    """
    given = dict(os.environ)
    missing = {name: text for name, text in STAND_INS.items() if not read_text(given, name)}
    os.environ.update(missing)
    try:
        runpy.run_module("relayproject.settings")
    except WrongSetting as error:
        raise StackError(str(error)) from None
    finally:
        for name in missing:
            del os.environ[name]
        os.environ.update({name: "" for name in missing if name in given})


def read_text(environ: Mapping[str, str], name: str) -> str:
    """The variable, or the content of the file that `NAME_FILE` names, or nothing."""
    path, value = environ.get(f"{name}_FILE"), environ.get(name, "")
    if not path:
        return value
    if value:
        raise StackError(f"Set {name} or {name}_FILE, not both.")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise StackError(f"{name}_FILE: {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise StackError(f"{name}_FILE: {path} cannot be read: it is not text in UTF-8.") from error


def _web_port(host: str, text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise StackError(f"RELAY_WEB_PORT must be a port, a number from 0 to 65535, not {text!r}.")
    try:
        port = int(text) or ports.free_port(host)
        free = ports.is_free(port, host)
    except OSError as error:
        raise StackError(
            f"The web server cannot listen on {host}, port {text}: {os.strerror(error.errno or 0)}."
        ) from error
    if not free:
        raise PortTaken(ports.taken(port))
    return port
