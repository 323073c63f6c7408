"""What the tests on real servers share: an operator, clean servers, a listener, a writer, a web process."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry, Token
from leases_app.leasing import Condition, Contender, Term
from leases_app.models import Lease
from messages_app.writing.writer import write
from relaybase.connections import shared_redis
from relayproject.processes import processes
from tests.ending import end
from tests.loops import Loop
from tests.proxy import Proxy

API = "/api/v1"

BEGUN_SECONDS = 90.0
"""So long a process may take to begin, which is 2 to 5 s of CPU, on a machine that others need as well."""

_MAX_TIME_EXPIRED = 50
"""MongoDB's error code."""


@pytest.fixture
def operator(db: None, django_user_model: Any) -> Any:
    """A user who may do everything, without a password: hashing one would take longer than a test."""
    user = django_user_model.objects.create_superuser("operator")
    # The audit log of a test begins after him.
    AuditEntry.objects.filter(target="user operator").delete()
    return user


@pytest.fixture
def token(operator: Any) -> str:
    """The operator's token."""
    return tokens.make("tests", operator, Token.Scope.MANAGE)[1]


@pytest.fixture
def api(token: str) -> APIClient:
    """A program that uses the API."""
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


@pytest.fixture
def browser(operator: Any) -> Client:
    """The operator's browser, logged in."""
    client = Client(headers={"accept": "text/html,*/*;q=0.8"})
    client.force_login(operator)
    return client


SOUND = {
    "maxmemory": 0,
    "maxmemory-policy": "noeviction",
    "appendonly": "yes",
    "client-output-buffer-limit": "pubsub 268435456 134217728 60",
}


@pytest.fixture
def sound_redis(relay_keys: Any) -> Iterator[Any]:
    """A Redis that nothing speaks against, and that is what it was in the end."""
    before = {name: relay_keys.config_get(name)[name] for name in SOUND}
    for name, value in SOUND.items():
        relay_keys.config_set(name, value)
    yield relay_keys
    for name, value in before.items():
        relay_keys.config_set(name, value)


@pytest.fixture
def quick(settings: Any) -> None:
    """Loops that look at PostgreSQL more often than in production. Ask for it before them."""
    settings.RELAY_LEASE_TTL_SECONDS = 1.0
    settings.RELAY_LEASE_HEARTBEAT_SECONDS = 0.1
    settings.RELAY_LISTENER_REFRESH_SECONDS = 0.2


@pytest.fixture
def redis_away(settings: Any) -> Iterator[None]:
    """Nobody answers where Redis should be."""
    settings.SERVERS = replace(settings.SERVERS, redis_url="redis://127.0.0.1:1/0")
    shared_redis.cache_clear()
    yield
    shared_redis.cache_clear()


@pytest.fixture
def postgres_proxy(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """The way to PostgreSQL of everything that connects from now on."""
    connection.ensure_connection()  # The test's own goes straight.
    server = connection.settings_dict  # One dictionary for the connections of all threads.
    with Proxy(server["HOST"], int(server["PORT"])) as proxy:
        monkeypatch.setitem(server, "HOST", "127.0.0.1")
        monkeypatch.setitem(server, "PORT", proxy.port)
        yield proxy


@pytest.fixture
def give_up(archive: Any) -> Callable[[], None]:
    """Has MongoDB give up the next search, as one that takes longer than it may."""

    def arm() -> None:
        archive.database.client.admin.command(
            "configureFailPoint",
            "failCommand",
            mode={"times": 1},
            data={"failCommands": ["find"], "errorCode": _MAX_TIME_EXPIRED},
        )

    return arm


@contextmanager
def profiled(archive: Any) -> Iterator[list[dict[str, Any]]]:
    """What MongoDB has been asked about the messages meanwhile, from its profile."""
    database, asked = archive.database, list[dict[str, Any]]()
    database.command("profile", 2)
    try:
        yield asked
    finally:
        database.command("profile", 0)
        asked += database["system.profile"].find({"ns": archive.full_name}).sort("ts", 1)
        database["system.profile"].drop()


@pytest.fixture
def proofs_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was proven to hear counts as hearing for as long as a test may take."""
    monkeypatch.setattr("leases_app.models.PROOF_SECONDS", 60.0)


@pytest.fixture
def listener(db: None, settings: Any, proofs_last: None) -> Term:
    """A live lease on partition 0, whose holder hears."""
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    term = Contender(task_id="task-1").claim(Lease.Role.LISTENER, 0)
    assert term is not None
    term.renew(0, Condition(heard_seconds_ago=0.0, known_until=timezone.now()))
    return term


@pytest.fixture
def writer(relay_keys: Any, archive: Any) -> Iterator[Loop]:
    """A writer."""
    loop = Loop(lambda stopping: write(0, stopping))
    yield loop
    loop.stop()


@pytest.fixture(scope="module")
def serve(messages_database: str) -> Iterator[Callable[..., str]]:
    """Starts real web processes on the test databases; `serve(NAME="value")` gives a base URL.

    `application`: which one of `relayproject.asgi`.
    """
    running: list[subprocess.Popen[bytes]] = []

    def start(application: str = "application", **environment: str) -> str:
        process, url = _web(application, environment)
        running.append(process)
        return url

    yield start
    end(*running)


def environment_of_a_web_process(**environment: str) -> dict[str, str]:
    """With the databases of the tests, and this."""
    databases = django_settings.DATABASES
    url = urlsplit(django_settings.SERVERS.database_url)
    return {
        **os.environ,
        "DATABASE_URL": url._replace(path="/" + databases["default"]["NAME"]).geturl(),
        "RELAY_MONGO_DATABASE": databases["messages"]["NAME"],
        **environment,
    }


def _web(application: str, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    web = next(process for process in processes({"RELAY_WEB_PORT": str(port)}) if process.name == "web")
    process = subprocess.Popen(
        [argument.replace(":application", f":{application}") for argument in web.argv(sys.executable)],
        env=environment_of_a_web_process(**environment),
    )
    url = f"http://127.0.0.1:{port}"
    until = time.monotonic() + BEGUN_SECONDS
    while time.monotonic() < until:
        assert process.poll() is None, "the web process ended"
        try:
            urllib.request.urlopen(url + "/healthz").close()
            return process, url
        except OSError:
            time.sleep(0.1)
    process.kill()
    process.wait(10)
    raise AssertionError(f"the web process did not answer within {BEGUN_SECONDS} s")
