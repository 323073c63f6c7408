"""/healthz and /readyz."""

from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from django.test import Client

from channels_app.registration import start
from leases_app.leasing import Contender, Term
from leases_app.models import ClockTimestamp, Lease

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
        "listener of partition 0",
        "writer of partition 0",
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


def test_a_loop_that_never_was_is_not_ready(client: Client, archive: Any) -> None:
    assert _wrong(client.get("/readyz")) == {
        "listener of partition 0": "nobody has held its lease yet",
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
