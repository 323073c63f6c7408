"""The writer is killed, frozen, or loses its consumer group."""

import signal
import time

import pytest

from leases_app.models import Lease
from messages_app.writing.writer import _FOREIGN_IDLE_SECONDS
from relaybase import keys
from tests.integration.writing.killed_writer import POINTS

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher


@pytest.fixture
def unwritten(cluster: Cluster) -> Cluster:
    """Two listeners, and nobody who writes."""
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    return cluster


def start_killed(cluster: Cluster, wait_until: Wait, *module: str) -> None:
    """A writer that dies by its own hand, as soon as the lease is free; until it has."""
    held = Lease.objects.live().filter(role=Lease.Role.WRITER)
    wait_until(lambda: not held.exists(), what="the writer's lease lapsed")
    process = cluster.start("-m", *module, RELAY_WRITER_BATCH_MESSAGES="50")
    assert process.wait(30) == -signal.SIGKILL, cluster.log()[-2000:]
    cluster.running.remove(process)


@pytest.mark.fault(11)
@pytest.mark.parametrize("rounds", [1, pytest.param(10, marks=[pytest.mark.long, pytest.mark.timeout(900)])])
def test_killed_at_each_point(unwritten: Cluster, settled: Settle, wait_until: Wait, rounds: int) -> None:
    unwritten.channel("orders", "every")
    with Publisher(unwritten.redis_url, "orders") as publisher:
        for _ in range(rounds):
            for point in POINTS:
                start_killed(unwritten, wait_until, "tests.integration.writing.killed_writer", point)
    unwritten.replace_writer()
    verdict = settled(publisher, seconds=60)
    assert verdict.is_clean, str(verdict)


@pytest.mark.fault(11)
@pytest.mark.long
def test_control_who_acknowledges_before_inserting_loses_messages(
    unwritten: Cluster, settled: Settle, wait_until: Wait
) -> None:
    unwritten.channel("orders", "every")
    with Publisher(unwritten.redis_url, "orders") as publisher:
        start_killed(unwritten, wait_until, "tests.chaos.hasty_writer", "acknowledge")
    unwritten.replace_writer()
    assert settled(publisher).unrecorded


@pytest.mark.fault(11)
@pytest.mark.parametrize("seconds", [2.0, pytest.param(_FOREIGN_IDLE_SECONDS + 5, marks=pytest.mark.long)])
def test_frozen_for_longer_than_anybody_waits(
    pair: Cluster, settled: Settle, wait_until: Wait, seconds: float
) -> None:
    pair.channel("orders", "every")
    [frozen] = pair.writers
    with Publisher(pair.redis_url, "orders") as publisher:
        time.sleep(0.5)
        pair.signal(frozen, signal.SIGSTOP)
        pair.replace_writer()
        wait_until(
            lambda: Lease.objects.live().filter(role=Lease.Role.WRITER).exists(), what="another writer"
        )
        time.sleep(seconds)
        pair.signal(frozen, signal.SIGCONT)
        wait_until(lambda: frozen.poll() is not None, what="it ends by itself")
        assert frozen.returncode == 0
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert "the term is over" in pair.log()


@pytest.mark.fault(11)
def test_a_consumer_group_that_is_destroyed_is_made_anew(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders") as publisher:
        for _ in range(5):
            time.sleep(0.5)
            assert pair.redis.xgroup_destroy(keys.stream(0), keys.GROUP) == 1
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert pair.log().count("Redis has begun anew or has gone back") >= 5
