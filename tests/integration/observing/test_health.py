"""/healthz and /readyz."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder
from django.test import Client
from django.utils import timezone

from channels_app.listening.recording import unheard
from channels_app.models import Channel, Gap
from channels_app.registration import start
from leases_app import partitioning
from leases_app.leasing import Condition, Contender, Term
from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp
from tests.integration.listening.world import full

# Threads open connections of their own: Django asks that both databases are named.
pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

NOWHERE = "127.0.0.1:1"


@pytest.fixture
def loops(settings: Any, proofs_last: None) -> dict[str, Term]:
    """A listener that hears and a writer are alive."""
    settings.RELAY_LEASE_TTL_SECONDS = 60.0
    found = {role: Contender().claim(role, 0) for role in Lease.Role.values}
    Lease.objects.filter(role=Lease.Role.LISTENER).update(heard_at=ClockTimestamp())
    return {role: term for role, term in found.items() if term}


def _wrong(answer: Any) -> dict[str, str]:
    return {check["name"]: check["detail"] for check in answer.json()["checks"] if not check["ok"]}


def test_a_process_that_lives_says_so_without_asking_anybody(client: Client, redis_away: None) -> None:
    answer = client.get("/healthz")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_all_servers_answer_and_all_loops_live(client: Client, loops: Any, archive: Any) -> None:
    answer = client.get("/readyz/")

    assert (answer.status_code, _wrong(answer)) == (200, {})
    assert [check["name"] for check in answer.json()["checks"]] == [
        "PostgreSQL",
        "Redis",
        "MongoDB",
        "RELAY_PARTITIONS",
        "RELAY_SECRET_KEY",
        "RELAY_SENDER_SHARDS",
        "RELAY_PROCESSOR_SHARDS",
        "listener of partition 0",
        "processor of shard 0",
        "sender of shard 0",
        "writer of partition 0",
        "channels that Redis refuses",
        "channels with an open gap",
        "clients that watch here",
    ]


def test_a_partition_without_a_loop_is_not_ready_and_says_since_when(
    client: Client, loops: dict[str, Term], archive: Any, settings: Any
) -> None:
    loops["listener"].release()
    released = Lease.objects.get(role="listener").heartbeat_at
    settings.RELAY_PARTITIONS = 1
    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert released is not None
    assert _wrong(answer) == {
        "listener of partition 0": f"nobody holds its lease since {released:%Y-%m-%dT%H:%M:%SZ}"
    }
    assert client.get("/readyz/web").status_code == 200


def test_a_listener_that_lives_and_hears_nothing_is_not_ready_and_says_since_when(
    client: Client, loops: dict[str, Term], archive: Any
) -> None:
    ago = timezone.now() - timedelta(minutes=2)
    Lease.objects.update(heard_at=ago)
    assert _wrong(client.get("/readyz")) == {}, "no channel is listed, so nothing is missed"
    start("orders")

    found = _wrong(client.get("/readyz"))

    assert list(found) == ["listener of partition 0"]
    assert (
        f"has not proved since {ago:%Y-%m-%dT%H:%M:%SZ} that it hears anything"
        in found["listener of partition 0"]
    )


def test_what_a_loop_cannot_do_is_not_ready_and_what_waits_is_shown(
    client: Client, loops: dict[str, Term], archive: Any
) -> None:
    loops["listener"].renew(0, Condition(0.0, waiting=7, trouble="Redis takes nothing (OOM): not stored."))
    loops["writer"].renew(0, Condition(trouble="MongoDB takes nothing."))
    loops["seat"].renew(0, Condition(waiting=900, trouble="Redis refuses EVAL: grant +eval."))

    answer = client.get("/readyz")

    assert _wrong(answer) == {
        "listener of partition 0": "Redis takes nothing (OOM): not stored.",
        "writer of partition 0": "MongoDB takes nothing.",
        "standby of partition 0": "Redis refuses EVAL: grant +eval.",
    }
    assert {check["name"]: check["waiting"] for check in answer.json()["checks"] if "waiting" in check} == {
        "listener of partition 0": 7,
        "processor of shard 0": 0,
        "sender of shard 0": 0,
        "writer of partition 0": 0,
    }


@pytest.mark.parametrize(("waiting", "more"), [(999, {}), (1000, {"waiting_exact": False})])
def test_a_processor_that_takes_no_more_does_not_say_that_this_is_all(
    client: Client, loops: dict[str, Term], archive: Any, waiting: int, more: dict[str, bool], capsys: Any
) -> None:
    loops["processor"].renew(0, Condition(waiting=waiting))
    loops["writer"].renew(0, Condition(waiting=1000))

    checks = {check["name"]: check for check in client.get("/readyz").json()["checks"]}
    call_command("status")
    told = capsys.readouterr().out

    name = "processor of shard 0"
    assert checks[name] == {"name": name, "ok": True, "waiting": waiting, **more}
    assert "waiting_exact" not in checks["writer of partition 0"]
    assert f"{name}: {'at least ' if more else ''}{waiting} messages wait" in told
    assert "writer of partition 0: 1000 messages wait" in told


def test_where_the_servers_are_is_not_for_everybody(
    client: Client, loops: dict[str, Term], archive: Any
) -> None:
    host = urlsplit(settings.SERVERS.mongo_url).netloc
    loops["writer"].renew(
        0, Condition(trouble=f"MongoDB stores nothing: {host}: refused (10.1.2.3, port 27017).")
    )

    found = _wrong(client.get("/readyz"))["writer of partition 0"]

    assert found == "MongoDB stores nothing: its address: refused (its address)."


def test_a_loop_that_has_gone_is_in_no_trouble(client: Client, loops: dict[str, Term], archive: Any) -> None:
    loops["listener"].renew(0, Condition(0.0, waiting=7, trouble="It cannot."))
    Lease.objects.filter(role="listener").update(heartbeat_at=timezone.now() - timedelta(hours=1))

    answer = client.get("/readyz")

    assert "nobody holds its lease since" in _wrong(answer)["listener of partition 0"]
    [check] = [one for one in answer.json()["checks"] if one["name"] == "listener of partition 0"]
    assert check["waiting"] == 0


def test_a_redis_that_takes_nothing_is_not_ready(
    client: Client, loops: Any, archive: Any, relay_keys: Any
) -> None:
    with full(relay_keys):
        found = _wrong(client.get("/readyz"))

    assert found == {"Redis": "takes nothing, since its memory is full: what is heard now is not stored"}


def test_channels_that_redis_refuses_are_counted_and_not_named(
    client: Client, loops: dict[str, Term], archive: Any
) -> None:
    for name in ("orders", "secret"):
        start(name)
    row = Channel.objects.get(channel="secret").life
    unheard.refuse(loops["listener"], {row: "NOPERM secret"}, None)

    answer = client.get("/readyz")

    assert _wrong(answer) == {"channels that Redis refuses": "1 of 2"}
    assert "secret" not in answer.content.decode()


@pytest.mark.parametrize(
    ("alias", "app", "name", "option"),
    [
        ("default", "channels_app", "0006_first_heard_at", ""),
        ("messages", "messages_app", "0003_what_publishers_say", " --database messages"),
    ],
)
def test_a_migration_that_is_not_applied_is_not_ready_and_says_what_to_run(
    client: Client, loops: Any, archive: Any, alias: str, app: str, name: str, option: str
) -> None:
    server = {"default": "PostgreSQL", "messages": "MongoDB"}[alias]
    recorder = MigrationRecorder(connections[alias])
    recorder.record_unapplied(app, name)
    try:
        found = _wrong(client.get("/readyz"))
    finally:
        recorder.record_applied(app, name)

    said = f"lacks a migration, {app}.{name} first. Run `manage.py migrate{option}`."
    assert found == {server: said}
    assert _wrong(client.get("/readyz")) == {}


@pytest.mark.parametrize("status", ["ACTIVE", "INACTIVE"])
def test_a_channel_with_a_gap_of_its_own_that_lasts_is_not_ready(
    client: Client, loops: dict[str, Term], archive: Any, capsys: pytest.CaptureFixture[str], status: str
) -> None:
    for name in ("orders", "bills", "audit"):
        start(name)
    Channel.objects.update(subscription_status=status)
    for name, seconds in (("orders", 60), ("bills", 1), ("audit", 60)):
        began_at = timezone.now() - timedelta(seconds=seconds)
        Gap.objects.create(partition=0, channel=name, cause=Gap.Cause.LATE, began_at=began_at)
    Gap.objects.filter(channel="audit").update(ended_at=timezone.now())

    answer = client.get("/readyz")

    assert answer.status_code == 503
    assert _wrong(answer) == {"channels with an open gap": "1 channel is not heard"}
    with pytest.raises(SystemExit):
        call_command("status")
    assert "NOT  channels with an open gap: 1 channel is not heard" in capsys.readouterr().out
    Gap.objects.filter(channel="bills").update(began_at=timezone.now() - timedelta(seconds=60))
    assert _wrong(client.get("/readyz")) == {"channels with an open gap": "2 channels are not heard"}


@pytest.mark.parametrize(
    ("protected", "seats", "age", "is_said"),
    [
        (False, 2, 60, True),
        (False, 2, 0, False),
        (False, 1, 60, False),
        (True, 2, 60, False),
        (None, 2, 60, False),
    ],
    ids=["alone", "a new term", "one is enough", "protected", "not said"],
)
def test_that_nobody_would_take_over_is_said_and_no_fault(
    client: Client,
    api: Any,
    loops: dict[str, Term],
    archive: Any,
    settings: Any,
    capsys: pytest.CaptureFixture[str],
    protected: bool | None,
    seats: int,
    age: int,
    is_said: bool,
) -> None:
    settings.RELAY_LISTENERS_PER_PARTITION = seats
    Lease.objects.update(claimed_at=timezone.now() - timedelta(seconds=age))
    loops["listener"].renew(0, Condition(0.0, is_protected=protected))

    call_command("status")

    said = "listener of partition 0: nobody has proved that it would take over"
    assert (said in capsys.readouterr().out) is is_said
    assert client.get("/readyz").status_code == 200
    metric = f'relay_partition_alone{{partition="0"}} {float(is_said)}'
    assert metric in api.get("/metrics").content.decode()


def test_the_command_says_the_same_and_ends_with_an_error(
    loops: dict[str, Term], archive: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    start("orders")
    partitioning.proposed()
    loops["listener"].renew(0, Condition(0.0, waiting=7, trouble="Redis takes nothing (OOM): not stored."))

    with pytest.raises(SystemExit) as ended:
        call_command("status")

    said = capsys.readouterr().out
    assert ended.value.code == 1
    assert "NOT  listener of partition 0: Redis takes nothing (OOM): not stored." in said
    assert "partition 0: 1 of 1 channels not heard" in said
    assert "listener of partition 0: 7 messages wait in its memory" in said
    assert "proposals: 0 s ago" in said


def test_a_loop_that_never_was_is_not_ready(client: Client, archive: Any) -> None:
    assert _wrong(client.get("/readyz")) == {
        "listener of partition 0": "nobody has held its lease yet",
        "processor of shard 0": "nobody has held its lease yet",
        "sender of shard 0": "nobody has held its lease yet",
        "writer of partition 0": "nobody has held its lease yet",
    }


def test_a_number_of_partitions_that_was_changed_is_not_ready(
    client: Client, loops: Any, archive: Any, settings: Any
) -> None:
    start("orders")
    settings.RELAY_PARTITIONS = 2

    assert "divided into 1" in _wrong(client.get("/readyz"))["RELAY_PARTITIONS"]


def test_a_server_that_is_away_is_named_and_its_address_is_not(serve: Callable[..., str]) -> None:
    web = serve(MONGO_URL=f"mongodb://someone:secret@{NOWHERE}/", REDIS_URL=f"redis://:secret@{NOWHERE}/0")

    answer = httpx2.get(f"{web}/readyz", timeout=10)

    assert answer.status_code == 503
    assert {"Redis", "MongoDB"} <= _wrong(answer).keys()
    assert answer.elapsed.total_seconds() < 4
    assert "secret" not in answer.text
    assert httpx2.get(f"{web}/readyz/web").status_code == 200


def test_without_postgresql_no_web_process_is_ready(serve: Callable[..., str]) -> None:
    web = serve(DATABASE_URL=f"postgres://postgres@{NOWHERE}/relay")

    answer = httpx2.get(f"{web}/readyz/web", timeout=10)

    assert (answer.status_code, list(_wrong(answer))) == (503, ["PostgreSQL"])
    assert httpx2.get(f"{web}/healthz").status_code == 200
