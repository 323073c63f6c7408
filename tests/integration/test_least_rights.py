"""Relay runs under exactly the rights in Redis that docs/operations.md lists."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.db import connection, transaction

from channels_app.models import Channel
from compat_app.alertmanager import managing
from events_app.models import Event
from events_app.noting import Type, note
from messages_app.searching.following import Follower
from relaybase import keys
from relaybase.connections import shared_redis
from relaycore.position import START
from relayproject.processes import processes
from relaystack.servers.valkey import Valkey
from tests.chaos.cluster import Cluster
from tests.chaos.servers import OwnServer
from tests.integration.writing.world import document, fields_of

Wait = Callable[..., None]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text()
SECTION = PAGE.partition("## The least rights in Redis")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (.+?) \| (`~.+?) \| (.+?) \| (`\+.+) \|$", SECTION, re.MULTILINE)
USERS = ("listeners", "writers", "processors", "web", "broker")


def rights() -> dict[str, list[str]]:
    """What `ACL SETUSER` takes for each user, as the table has it."""
    cells = [" ".join(row[1:]).replace("\\|", "|") for row in ROWS]
    return {user: re.findall(r"`([~&+][^`]+)`", cell) for user, cell in zip(USERS, cells, strict=True)}


class Guarded:
    """A Redis that knows these users and lets nobody else in."""

    def __init__(self, server: OwnServer) -> None:
        self._url = server.url
        self.operator = server.redis()
        for user, rules in rights().items():
            self.operator.execute_command("ACL", "SETUSER", user, "on", ">secret", "resetchannels", *rules)

    def url(self, user: str) -> str:
        """For a client that is this user."""
        return urlsplit(self._url)._replace(netloc=f"{user}:secret@{urlsplit(self._url).netloc}").geturl()

    def denied(self) -> set[tuple[str, str]]:
        """Who was denied what."""
        found = {(str(entry["username"]), str(entry["object"])) for entry in self.operator.acl_log()}
        # redis-py tells which version it is, if it may. Servers before 7.2 call that by its first word.
        return {(user, what) for user, what in found if what not in {"client|setinfo", "client"}}


@pytest.fixture
def redis(settings: Any, tmp_path: Path) -> Iterator[Guarded]:
    server = OwnServer(Valkey, tmp_path / "redis")
    guarded = Guarded(server)
    settings.SERVERS = replace(settings.SERVERS, redis_url=guarded.url("web"))
    shared_redis.cache_clear()
    yield guarded
    shared_redis.cache_clear()
    guarded.operator.close()
    server.stop()


@pytest.fixture
def relay(
    transactional_db: None, settings: Any, redis: Guarded, archive: Any, wait_until: Wait, tmp_path: Path
) -> Iterator[Cluster]:
    """All processes but the web, which is the test itself."""
    cluster = Cluster(settings, redis.operator, wait_until, tmp_path / "processes.log")
    for process in processes():
        if process.name != "web":
            cluster.start(
                *process.arguments,
                REDIS_URL=redis.url(process.name if process.name in USERS else "web"),
                CELERY_BROKER_URL=redis.url("broker"),
                RELAY_PROPOSE_INTERVAL_SECONDS="1",
            )
    yield cluster
    cluster.end()
    print(cluster.log())


@pytest.fixture
def heard(relay: Cluster, api: Any, wait_until: Wait) -> Callable[[str], None]:
    """The channel orders is ACTIVE; publishes on it, as somebody else's program does."""
    answer = api.post("/api/v1/start-listening", {"channel": "orders"}, format="json")
    assert answer.status_code in {201, 202}, answer.content
    # Five processes begin, on a machine that may have other things to do.
    wait_until(lambda: relay.is_active("orders"), seconds=60, what="orders ACTIVE")
    return lambda text: relay.redis.publish("orders", text)


@pytest.mark.django_db(transaction=True, databases=["default", "messages"])  # For the thread that follows.
def test_relay_runs_under_these_rights(
    relay: Cluster, redis: Guarded, heard: Any, api: Any, browser: Any, archive: Any, wait_until: Wait
) -> None:
    def stored() -> set[str]:
        answer = api.get("/api/v1/messages?channel=orders")
        assert answer.status_code == 200, answer.content
        return {row["message"] for row in answer.json()["results"]}

    heard("hello")
    with Follower() as follower, follower.follow("orders", START) as subscription:
        heard("followed")
        texts: set[str] = set()
        while "followed" not in texts:
            found = subscription.take(20)
            assert found is not None
            texts |= {row["message"] for row in found.messages}
    # As from quarantine.
    shared_redis().xadd(keys.stream(0), fields_of([document("again")]))
    wait_until(lambda: stored() == {"hello", "followed", "again"}, seconds=20, what="stored")
    assert {"name": "Redis", "ok": True} in api.get("/readyz").json()["checks"]
    for page in ("/api/v1/channels/orders", "/api/v1/gaps", "/metrics"):
        assert api.get(page).status_code == 200, page
    assert browser.get("/admin/").status_code == 200
    assert managing.trouble_of_servers() == ""
    with transaction.atomic(), connection.cursor() as sql:
        note(sql, Type.DISABLED, 1, 7, "endpoints/billing", {"reason": "gone"})
    wait_until(lambda: not Event.objects.exists(), seconds=30, what="told, and stored")
    Channel.objects.update(retention_seconds=1)
    wait_until(lambda: not stored(), seconds=20, what="expired")
    inspect = relay.start(
        *("-m", "celery", "-A", "relayproject", "inspect", "ping"), CELERY_BROKER_URL=redis.url("broker")
    )
    assert inspect.wait(30) == 0
    assert redis.denied() == set()


SCRIPTS = [
    ("listeners", "channels_app/listening/ticker.py"),
    ("writers", "messages_app/writing/scripts.py"),
    ("web", "relaybase/redis/appending.py"),
    ("web", "channels_app/registration.py"),
    ("web", "messages_app/beside.py"),
    ("writers", "messages_app/beside.py"),
    ("writers", "relaybase/rates.py"),
    ("web", "messages_app/searching/backlog.py"),
    ("processors", "messages_app/searching/passing.py"),
    ("processors", "messages_app/beside.py"),
    ("processors", "relaybase/redis/fencing.py"),
]


@pytest.mark.parametrize(("user", "file"), SCRIPTS)
def test_whatever_a_script_may_do_is_listed(user: str, file: str) -> None:
    called = re.findall(r"redis\.p?call\('(\w+)'(?:, '(\w+)')?", (ROOT / file).read_text())
    assert called
    allowed = {rule.removeprefix("+") for rule in rights()[user]}
    for command, argument in called:
        names = {command.lower(), f"{command}|{argument}".lower()}
        assert names & allowed, f"{user} may not {command}"


def test_a_right_that_is_missing_is_named(
    relay: Cluster,
    redis: Guarded,
    heard: Any,
    api: Any,
    archive: Any,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
) -> None:
    taken = [
        ("listeners", "xadd"),
        ("writers", "xack"),
        ("writers", "publish"),
        ("web", "eval"),
        ("broker", "lpush"),
    ]
    for user, command in taken:
        redis.operator.execute_command("ACL", "SETUSER", user, f"-{command}")
        heard(f"without {command}")
        if user == "web":
            answer = api.get("/api/v1/messages?channel=orders")
            assert answer.status_code == 503
            assert f"'{command}' command" in answer.json()["detail"]
        wait_until(lambda: redis.denied() == {(user, command)}, seconds=20, what=f"{command} refused")  # noqa: B023
        wait_until(lambda: f"'{command}' command" in relay.log() + caplog.text, what="in the log")  # noqa: B023
        redis.operator.execute_command("ACL", "SETUSER", user, f"+{command}")
        redis.operator.acl_log_reset()
    wait_until(
        lambda: archive.count_documents({"channel": "orders"}) == len(taken), seconds=20, what="stored"
    )
