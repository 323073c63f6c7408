"""Servers of the operator's own, which are used instead of embedded ones."""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pymongo
import redis
from pymongo.errors import PyMongoError

from relaybase.env import WrongSetting
from relaybase.whereabouts import read
from relaystack.errors import StackError
from relaystack.servers.valkey import ONCE

TIMEOUT_SECONDS = 5
UNREADABLE = "(a URL that cannot be read)"

HOST = r"([\w.-]+|\[[\da-fA-F:.]+\])(:\d+)?"
HOSTS = f"{HOST}(,{HOST})*"  # MongoDB takes several


def require_answer(setting: str, url: str) -> None:
    """Check that the server answers.

    Raises:
        StackError: it does not, or the URL cannot be used. The sentence never contains a password.
    """
    title, ask = CHECKS[setting]
    try:
        read(setting, url)
    except WrongSetting as error:
        raise StackError(str(error)) from None
    try:
        ask(url)
    except (psycopg2.Error, redis.RedisError, PyMongoError, OSError, ValueError) as error:
        # The error's own text may repeat the URL, so it is not shown.
        refused = isinstance(error, redis.AuthenticationError) or "authentication" in str(error).lower()
        problem = (
            "refuses the user or the password" if refused else f"does not answer ({type(error).__name__})"
        )
        raise StackError(
            f"{title} at {without_password(url)} {problem}: "
            f"correct that or {setting}, or unset {setting} to use the embedded server."
        ) from None


def without_password(url: str) -> str:
    """Scheme, hosts and ports. User names are left out as well: some services put secrets there.

    Whatever looks odd is not shown at all: with an unescaped slash in it, a password seems to be a port.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return UNREADABLE
    hosts = parts.netloc.rpartition("@")[2]
    if parts.scheme == "unix" and not hosts and "@" not in parts.path:
        return f"unix://{parts.path}"
    if "@" in parts.path + parts.query + parts.fragment or not re.fullmatch(HOSTS, hosts):
        return UNREADABLE
    return f"{parts.scheme}://{hosts}"


def _ask_postgres(url: str) -> None:
    given: dict[str, Any] = {"connect_timeout": TIMEOUT_SECONDS} | read("DATABASE_URL", url)
    psycopg2.connect(**given).close()


def _ask_redis(url: str) -> None:
    timeout = TIMEOUT_SECONDS
    with redis.Redis.from_url(
        url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=ONCE
    ) as client:
        client.ping()


def _ask_mongo(url: str) -> None:
    timeout_ms = TIMEOUT_SECONDS * 1000
    client: pymongo.MongoClient[dict[str, Any]] = pymongo.MongoClient(
        url, serverSelectionTimeoutMS=timeout_ms
    )
    with client:
        client.admin.command("ping")


CHECKS: Mapping[str, tuple[str, Callable[[str], None]]] = {
    "DATABASE_URL": ("PostgreSQL", _ask_postgres),
    "REDIS_URL": ("Redis", _ask_redis),
    "MONGO_URL": ("MongoDB", _ask_mongo),
}
