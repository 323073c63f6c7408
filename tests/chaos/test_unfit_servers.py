"""Servers are made unfit while everything runs: it is said, nobody ends for it, and nothing is lost."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client

from leases_app.models import Lease
from tests.integration.writing.world import Failpoint

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer

pytestmark = pytest.mark.fault(28)

RATE = 500
SEEN_SECONDS = 10
"""Within so long it is said that a server is unfit, or that it is so no more."""

SERIOUS = {"maxmemory-policy": "allkeys-lru", "maxmemory": str(1 << 30)}
WARNINGS = {
    "append-only file": {"appendonly": "no"},
    "32 MiB behind": {"client-output-buffer-limit": "pubsub 33554432 8388608 60"},
}


@contextmanager
def made_unfit(server: OwnServer, options: dict[str, str]) -> Iterator[None]:
    """The server is set up like this meanwhile."""
    with server.redis() as client:
        before = {name: client.config_get(name)[name] for name in options}
        for name, value in options.items():
            client.config_set(name, value)
        yield
        for name, value in reversed(before.items()):
            client.config_set(name, value)


def troubles() -> dict[str, str]:
    """What the loops say that they cannot do, by role."""
    rows = Lease.objects.live().exclude(trouble="").values_list("role", "slot", "trouble")
    return {f"{role} {slot}": trouble for role, slot, trouble in rows}


def redis_check() -> dict[str, Any]:
    """What /readyz says of Redis."""
    checks: list[dict[str, Any]] = Client().get("/readyz").json()["checks"]
    return next(check for check in checks if check["name"] == "Redis")


@pytest.fixture
def unfit(own_redis: OwnServer, pair: Cluster) -> Cluster:
    """Two listeners and a writer, on servers of which one will be made unfit."""
    pair.channel("orders", "every")
    return pair


def test_each_way_is_said_within_ten_seconds_and_nobody_ends(
    own_redis: OwnServer, unfit: Cluster, settled: Settle, wait_until: Wait
) -> None:
    before, processes = unfit.epoch(), [process.pid for process in unfit.running]
    with Publisher(unfit.redis_url, "orders", RATE) as publisher:
        wait_until(lambda: redis_check()["ok"] and not troubles(), seconds=SEEN_SECONDS, what="sound")
        with made_unfit(own_redis, SERIOUS):
            loops = {"listener 0", "seat 0", "seat 1", "writer 0"}
            wait_until(lambda: troubles().keys() == loops, seconds=SEEN_SECONDS, what="said by each loop")
            assert all("allkeys-lru" in trouble for trouble in troubles().values())
            assert "Set maxmemory-policy to noeviction" in redis_check()["detail"]
        wait_until(lambda: redis_check()["ok"] and not troubles(), seconds=SEEN_SECONDS, what="mended")
        for text, options in WARNINGS.items():
            logged = unfit.log().count(text)
            with made_unfit(own_redis, options):
                wait_until(lambda: unfit.log().count(text) > logged, seconds=SEEN_SECONDS, what=text)  # noqa: B023
                assert text in redis_check()["warning"]
                assert redis_check()["ok"]
            wait_until(lambda: "warning" not in redis_check(), seconds=SEEN_SECONDS, what="mended")
        assert not troubles()
        with Failpoint(collection="probe", failCommands=["update"], errorCode=2):
            wait_until(
                lambda: troubles().keys() == {"writer 0"}, seconds=SEEN_SECONDS, what="said of MongoDB"
            )
        wait_until(lambda: not troubles(), seconds=SEEN_SECONDS, what="mended")
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert unfit.epoch() == before
    assert [process.pid for process in unfit.running if process.poll() is None] == processes


def test_control_loops_that_do_not_look_on_say_nothing(
    own_redis: OwnServer, cluster: Cluster, wait_until: Wait
) -> None:
    cluster.start("-m", "tests.chaos.careless", "looks", "write")
    cluster.start_careless("looks")
    cluster.wait_for(1)
    cluster.channel("orders", "every")
    with made_unfit(own_redis, SERIOUS):
        time.sleep(SEEN_SECONDS)
        assert not troubles()
        assert {process.poll() for process in cluster.running} == {None}
