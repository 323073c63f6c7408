"""Servers become unfit while everything runs: it is seen, the loops go on, and mending is seen too."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from alerts_app.processing.processor import process
from channels_app.listening.listener import listen
from leases_app.models import Lease
from messages_app.writing.watching import STUCK
from messages_app.writing.writer import write
from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis
from relaybase.mongo import shape
from relaystack.servers.valkey import Valkey
from tests.chaos.servers import OwnServer
from tests.integration.listening.world import Loop, start
from tests.integration.writing.world import Failpoint
from webhooks_app.sending.sender import send

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Wait = Callable[..., None]

SEEN_SECONDS = 10.0
"""Within so long it is seen that a server is unfit, or is so no more."""

EVICTS = "Redis has maxmemory-policy allkeys-lru: it may throw away the whole stream to make room."
NO_FILE = "Redis has its append-only file off"
CUTS_OFF = "Redis cuts off a listener that is 32 MiB behind"
NOT_DURABLE = "MongoDB does not take a durable write"


@dataclass
class View:
    """All places where an operator may look."""

    client: Client
    browser: Client
    api: Any
    capsys: pytest.CaptureFixture[str]

    def ready(self, name: str) -> dict[str, Any]:
        """One of the checks of /readyz."""
        checks = self.client.get("/readyz").json()["checks"]
        return next(check for check in checks if check["name"] == name)

    def trouble(self, role: str) -> str:
        """What the lease says."""
        return Lease.objects.get(role=role, partition=0, slot=0).trouble

    def banner(self) -> str:
        """The top of the home page."""
        return str(self.browser.get(reverse("admin:state")).json()["parts"]["banner"])

    def status(self) -> tuple[str, int]:
        """What the command says, and its exit code."""
        self.capsys.readouterr()
        try:
            call_command("status")
        except SystemExit as exc:
            return self.capsys.readouterr().out, int(str(exc.code))
        return self.capsys.readouterr().out, 0

    def metrics(self) -> str:
        """All of them."""
        return str(self.api.get("/metrics").content.decode())

    def all(self, server: str) -> str:
        """Whatever these places say of a server being unfit."""
        check = self.ready(server)
        loops = self.trouble("listener") + self.trouble("writer") + self.trouble("seat")
        families = [line for line in self.metrics().splitlines() if line.startswith("relay_server_finding{")]
        return check.get("detail", "") + check.get("warning", "") + loops + "".join(families)


@pytest.fixture
def view(
    client: Client, browser: Client, api: Any, capsys: pytest.CaptureFixture[str], settings: Any
) -> View:
    settings.RELAY_LISTENERS_PER_PARTITION = 1
    return View(client, browser, api, capsys)


@pytest.fixture
def loops() -> Iterator[list[Loop]]:
    """What runs is stopped in the end."""
    running: list[Loop] = []
    yield running
    for loop in running:
        loop.stop()


@pytest.fixture
def relay(
    sound_redis: Any, archive: Any, view: View, loops: list[Loop], wait_until: Wait
) -> Callable[[str], None]:
    """All loops run, and nothing is amiss. Publishes a text, and sees that it is stored."""
    loops += [Loop(listen), Loop(write), Loop(send), Loop(process)]
    for loop in ("writer of partition 0", "sender of shard 0", "processor of shard 0"):
        wait_until(lambda loop=loop: view.ready(loop)["ok"], what=f"{loop} runs")
    start(sound_redis, "orders", wait_until)
    wait_until(lambda: view.all("Redis") + view.all("MongoDB") == "", seconds=SEEN_SECONDS, what="sound")

    def stores(text: str) -> None:
        assert sound_redis.publish("orders", text)
        wait_until(lambda: archive.count_documents({"message": text}), what=f"{text} stored")

    return stores


def test_that_redis_may_evict_is_seen_everywhere_and_everything_goes_on(
    sound_redis: Any, relay: Callable[[str], None], view: View, loops: list[Loop], wait_until: Wait
) -> None:
    sound_redis.config_set("maxmemory-policy", "allkeys-lru")
    sound_redis.config_set("maxmemory", 1 << 30)
    wait_until(
        lambda: all(EVICTS in view.trouble(role) for role in ("listener", "seat", "writer")),
        seconds=SEEN_SECONDS,
        what="it is the trouble of the loops",
    )
    ready = view.client.get("/readyz")
    assert ready.status_code == 503
    assert f"{EVICTS} Set maxmemory-policy to noeviction." in view.ready("Redis")["detail"]
    banner = view.banner()
    assert 'class="banner bad"' in banner
    assert banner.count(EVICTS) == 1, "by the page itself, and not once more for each loop"
    assert "Set maxmemory-policy to noeviction" in banner
    said, code = view.status()
    assert (f"NOT  Redis: {EVICTS}" in said, code) == (True, 1)
    finding = 'relay_server_finding{finding="relay.redis.eviction",server="redis",severity="serious"} 1.0'
    assert finding in view.metrics()

    relay("while it is unfit")
    assert all(loop.is_alive for loop in loops)

    sound_redis.config_set("maxmemory", 0)
    sound_redis.config_set("maxmemory-policy", "noeviction")
    wait_until(lambda: view.all("Redis") == "", seconds=SEEN_SECONDS, what="it is mended")
    assert view.client.get("/readyz").status_code == 200
    assert "Everything listed is heard." in view.banner()
    relay("when it is mended")


WARNINGS = {
    "relay.redis.eviction": ("maxmemory-policy", "allkeys-lru", EVICTS),
    "relay.redis.aof": ("appendonly", "no", NO_FILE),
    "relay.redis.buffer": ("client-output-buffer-limit", "pubsub 33554432 8388608 60", CUTS_OFF),
}


@pytest.mark.parametrize("id", WARNINGS)
def test_what_a_start_warns_of_is_shown_and_no_fault(
    sound_redis: Any,
    relay: Callable[[str], None],
    view: View,
    wait_until: Wait,
    caplog: pytest.LogCaptureFixture,
    id: str,
) -> None:
    name, value, text = WARNINGS[id]
    before = sound_redis.config_get(name)[name]
    sound_redis.config_set(name, value)
    wait_until(lambda: f"({id})" in caplog.text, seconds=SEEN_SECONDS, what="in the log of the loops")

    assert view.client.get("/readyz").status_code == 200
    assert text in view.ready("Redis")["warning"]
    assert view.ready("Redis")["ok"]
    assert 'class="banner warn"' in view.banner()
    assert text in view.banner()
    said, code = view.status()
    assert (f"WARN Redis: {text}" in said, code) == (True, 0)
    finding = f'relay_server_finding{{finding="{id}",server="redis",severity="warning"}} 1.0'
    assert finding in view.metrics()
    assert view.trouble("listener") == view.trouble("writer") == ""

    sound_redis.config_set(name, before)
    wait_until(lambda: view.all("Redis") == "", seconds=SEEN_SECONDS, what="it is mended")
    assert "Everything listed is heard." in view.banner()


def test_a_mongodb_that_takes_no_durable_write_any_more_is_seen_and_the_writer_goes_on(
    relay: Callable[[str], None], view: View, loops: list[Loop], wait_until: Wait
) -> None:
    # BadValue is what a mongod without a journal says to `j: true`.
    with Failpoint(collection="probe", failCommands=["update"], errorCode=2):
        wait_until(
            lambda: (
                NOT_DURABLE in view.trouble("writer")
                and NOT_DURABLE in view.ready("MongoDB").get("detail", "")
            ),
            seconds=SEEN_SECONDS,
            what="it is seen",
        )
        assert view.client.get("/readyz").status_code == 503
        assert "let mongod journal" in view.ready("MongoDB")["detail"]
        assert view.trouble("listener") == "", "it needs no MongoDB"
        assert 'class="banner bad"' in view.banner()
        assert view.banner().count(NOT_DURABLE) == 1
        said, code = view.status()
        assert (f"NOT  MongoDB: {NOT_DURABLE}" in said, code) == (True, 1)
        finding = (
            'relay_server_finding{finding="relay.mongo.durable",server="mongodb",severity="serious"} 1.0'
        )
        assert finding in view.metrics()
        relay("while it is unfit")
        assert all(loop.is_alive for loop in loops)
    wait_until(lambda: view.all("MongoDB") == "", seconds=SEEN_SECONDS, what="it is mended")


@pytest.mark.usefixtures("relay")
def test_a_durable_write_that_does_not_end_is_no_proof(view: View, wait_until: Wait) -> None:
    hangs = {"blockConnection": True, "blockTimeMS": 60_000}
    with Failpoint(collection="probe", failCommands=["update"], **hangs):
        wait_until(
            lambda: "does not confirm that a write is durable" in view.ready("MongoDB").get("detail", ""),
            seconds=SEEN_SECONDS,
            what="it is seen",
        )
        metrics = view.metrics()
        assert 'relay_server_up{server="mongodb"} 1.0' in metrics, "it answers what it is asked to read"
        assert 'finding="relay.mongo.unproven"' in metrics
        assert "does not confirm that a write is durable" in view.banner()
    # The write that hangs ends when its client's patience does.
    wait_until(lambda: view.all("MongoDB") == "", seconds=2 * SEEN_SECONDS, what="it is mended")


def test_a_writer_that_runs_begins_again_with_a_mongodb_that_is_unfit(
    relay: Callable[[str], None],
    view: View,
    loops: list[Loop],
    wait_until: Wait,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    epoch = Lease.objects.get(role="writer").epoch
    monkeypatch.setattr("messages_app.writing.writer._FOREIGN_IDLE_SECONDS", 0.1)
    with Failpoint(collection="probe", failCommands=["update"], errorCode=2):
        wait_until(lambda: NOT_DURABLE in view.trouble("writer"), seconds=SEEN_SECONDS, what="it is seen")
        for number in range(3):
            relay(f"number {number}")
        assert all(loop.is_alive for loop in loops)
    assert Lease.objects.get(role="writer").epoch == epoch


# --- a Redis of its own ------------------------------------------------------------------


@pytest.fixture
def own_redis(settings: Any, tmp_path: Path) -> Iterator[OwnServer]:
    """The Redis that is used."""
    server = OwnServer(Valkey, tmp_path / "redis")
    settings.SERVERS = replace(settings.SERVERS, redis_url=server.url)
    shared_redis.cache_clear()
    yield server
    shared_redis.cache_clear()
    server.stop()


def test_a_redis_that_becomes_a_replica_is_seen_until_it_is_a_primary_again(
    own_redis: OwnServer, archive: Any, view: View, loops: list[Loop], wait_until: Wait
) -> None:
    loops += [Loop(listen), Loop(write), Loop(send), Loop(process)]
    with own_redis.redis() as operator:
        start(operator, "orders", wait_until)
        wait_until(lambda: view.client.get("/readyz").status_code == 200, seconds=SEEN_SECONDS, what="ready")
        operator.replicaof("127.0.0.1", 1)
        wait_until(
            lambda: (
                "replica" in view.ready("Redis").get("detail", "") and "replica" in view.trouble("writer")
            ),
            seconds=SEEN_SECONDS,
            what="it is seen",
        )
        assert "replica" in view.banner()
        assert view.ready("Redis")["detail"].count("is a replica") == 2  # What it does, and what to do.
        assert "127.0.0.1" not in view.client.get("/readyz").content.decode()
        operator.replicaof("NO", "ONE")
        wait_until(lambda: view.all("Redis") == "", seconds=SEEN_SECONDS, what="it is mended")
        wait_until(lambda: operator.publish("orders", "again"), what="heard again")
        wait_until(lambda: archive.count_documents({"channel": "orders"}), what="stored again")
        wait_until(lambda: view.client.get("/readyz").status_code == 200, seconds=SEEN_SECONDS, what="ready")


def test_who_may_not_ask_for_the_limit_is_warned_and_in_no_trouble(
    own_redis: OwnServer, archive: Any, view: View, loops: list[Loop], wait_until: Wait, settings: Any
) -> None:
    with own_redis.redis() as operator:
        operator.execute_command(
            "ACL", "SETUSER", "relay", "on", ">secret", "~*", "&*", "+@all", "-config|get"
        )
        parts = urlsplit(own_redis.url)
        url = parts._replace(netloc=f"relay:secret@{parts.netloc}").geturl()
        settings.SERVERS = replace(settings.SERVERS, redis_url=url)
        shared_redis.cache_clear()
        loops += [Loop(listen), Loop(write), Loop(send), Loop(process)]
        start(operator, "orders", wait_until)
        wait_until(operator.acl_log, what="it was asked and denied")
        wait_until(lambda: view.client.get("/readyz").status_code == 200, seconds=SEEN_SECONDS, what="ready")
        assert "Allow CONFIG GET" in view.ready("Redis")["warning"]
        assert view.trouble("listener") == view.trouble("seat") == view.trouble("writer") == ""


def test_looks_do_not_pile_up_where_everybody_asks(view: View, archive: Any) -> None:
    mongo_collection("probe").drop()
    database = archive.database
    database.command("profile", 2)
    try:
        for _ in range(20):
            view.client.get("/readyz")
    finally:
        database.command("profile", 0)
    written = database["system.profile"].count_documents({"ns": f"{database.name}.probe", "op": "update"})
    database.drop_collection("system.profile")
    assert written == 1, "each one waits for the disk"


ARCHIVES: dict[str, Callable[[Any], object]] = {
    "relay.mongo.index": lambda messages: messages.drop_index("channel_position"),
    "relay.mongo.unique": lambda messages: messages.create_index(["position"], unique=True, name="mine"),
    "relay.mongo.ttl": lambda messages: messages.create_index(
        ["received_at"], expireAfterSeconds=86_400, name="mine"
    ),
}


@pytest.mark.parametrize("id", ARCHIVES)
def test_what_is_wrong_with_a_collection_is_seen_and_the_writer_goes_on(
    relay: Callable[[str], None], archive: Any, view: View, wait_until: Wait, id: str
) -> None:
    ARCHIVES[id](archive)
    [found] = shape.findings(archive.database)
    assert found.id == id
    try:
        wait_until(
            lambda: (
                found.sentences in view.trouble("writer")
                and found.sentences in view.ready("MongoDB").get("detail", "")
            ),
            seconds=SEEN_SECONDS,
            what="it is seen",
        )
        assert view.client.get("/readyz").status_code == 503
        assert 'class="banner bad"' in view.banner()
        assert found.hint.split(":")[0].split("`")[0] in view.banner()
        relay("while it is so")
    finally:
        if id == "relay.mongo.index":
            call_command("migrate", database="messages", verbosity=0)
        else:
            archive.drop_index("mine")
    wait_until(lambda: view.all("MongoDB") == "", seconds=SEEN_SECONDS, what="it is mended")
    assert view.client.get("/readyz").status_code == 200
    relay("when it is mended")


def test_a_writer_begins_whatever_is_wrong_with_the_collections(
    archive: Any, sound_redis: Any, view: View, loops: list[Loop], wait_until: Wait
) -> None:
    archive.create_index(["position"], unique=True, name="mine")
    try:
        loops.append(Loop(write))
        wait_until(Lease.objects.live().filter(role=Lease.Role.WRITER).exists)
        wait_until(lambda: '"mine" on messages is unique' in view.trouble("writer"), seconds=SEEN_SECONDS)
        assert loops[0].is_alive
    finally:
        archive.drop_index("mine")


# --- a writer that is refused something, whatever it is -------------------------------------------


@pytest.mark.parametrize(
    ("collection", "commands"),
    [("messages", ["insert"]), ("partitions", ["update", "findAndModify"]), ("quarantine", ["insert"])],
)
def test_a_writer_that_gets_nothing_stored_is_in_trouble(
    relay: Callable[[str], None],
    sound_redis: Any,
    view: View,
    archive: Any,
    wait_until: Wait,
    collection: str,
    commands: list[str],
) -> None:
    # Unauthorized: somebody has taken away a right on one collection.
    with Failpoint(collection=collection, failCommands=commands, errorCode=13):
        sound_redis.xadd(keys.stream(0), {"bson": "no entry"})
        sound_redis.publish("orders", "while it is refused")
        wait_until(
            lambda: STUCK in view.ready("writer of partition 0").get("detail", ""),
            seconds=SEEN_SECONDS,
            what="it is seen",
        )
        assert view.client.get("/readyz").status_code == 503
        assert view.ready("MongoDB")["ok"]
        assert STUCK in view.banner()
    wait_until(lambda: view.trouble("writer") == "", seconds=SEEN_SECONDS, what="it is mended")
    wait_until(lambda: archive.count_documents({"message": "while it is refused"}))


def test_a_writer_that_redis_refuses_a_command_is_in_trouble(
    relay: Callable[[str], None], sound_redis: Any, view: View, wait_until: Wait
) -> None:
    # `acl_setuser` says ON or OFF as well, and would shut out whoever connects next.
    sound_redis.execute_command("ACL", "SETUSER", "default", "-xreadgroup")
    try:
        wait_until(lambda: STUCK in view.trouble("writer"), seconds=SEEN_SECONDS, what="it is seen")
    finally:
        sound_redis.execute_command("ACL", "SETUSER", "default", "+xreadgroup")
    wait_until(lambda: view.trouble("writer") == "", seconds=SEEN_SECONDS, what="it is mended")
    relay("afterwards")
