"""Entries leave the stream before they are stored, in six ways: what is lost is on record, with its count."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from channels_app.models import Gap
from relaybase import keys

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer

pytestmark = pytest.mark.fault(25)

RATE = 200
STREAM = keys.stream(0)


def evict(redis: Any) -> None:
    """All that can be: a Redis that needs room, and is allowed to make it like this."""
    redis.config_set("maxmemory-policy", "allkeys-lru")
    redis.config_set("maxmemory", "100kb")
    time.sleep(0.5)
    redis.config_set("maxmemory", "0")
    redis.config_set("maxmemory-policy", "noeviction")


def delete_waiting(redis: Any) -> None:
    delivered = next(g["last-delivered-id"] for g in redis.xinfo_groups(STREAM) if g["name"] == b"writers")
    waiting = [id for id, _ in redis.xrange(STREAM, min=f"({delivered.decode()}")]
    assert redis.xdel(STREAM, *waiting) == len(waiting) > 10


WAYS: dict[str, Callable[[Any], object]] = {
    "evicted": evict,
    "deleted": lambda redis: redis.delete(STREAM),
    "expired": lambda redis: redis.pexpire(STREAM, 1),
    "cut off": lambda redis: redis.xtrim(STREAM, maxlen=5, approximate=False),
    "deleted one by one": delete_waiting,
}


@pytest.mark.parametrize("way", WAYS)
def test_what_waits_vanishes(
    own_redis: OwnServer, own_mongo: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait, way: str
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", RATE) as publisher, own_redis.redis() as client:
        time.sleep(1)
        with own_mongo.frozen():
            time.sleep(1.5)
            WAYS[way](client)
            time.sleep(0.5)
        wait_until(vanished, seconds=20, what="a gap of what has vanished")
    verdict = settled(publisher)
    assert verdict.lost, "nothing has vanished"
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert len(verdict.lost) <= vanished() < len(verdict.lost) + 2 * RATE


@pytest.mark.parametrize("own_redis", [("--appendonly", "no", "--save", "")], indirect=True)
def test_redis_is_killed_and_has_kept_nothing(
    own_redis: OwnServer, own_mongo: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        with own_mongo.frozen():
            time.sleep(1.5)
            own_redis.kill()
            own_redis.restart()
            time.sleep(0.5)
        wait_until(vanished, seconds=20, what="a gap of what has vanished")
    verdict = settled(publisher)
    assert verdict.lost, "nothing has vanished"
    assert verdict.is_clean_but_for_losses, str(verdict)


def vanished() -> int:
    """How many messages are on record as vanished."""
    gaps = Gap.objects.filter(cause=Gap.Cause.VANISHED)
    return sum(gap.missed_at_most or 0 for gap in gaps)


def test_control_who_does_not_count_loses_unrecorded(
    own_mongo: OwnServer, cluster: Cluster, settled: Settle
) -> None:
    cluster.start("-m", "tests.chaos.careless", "numbers", "write")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        with own_mongo.frozen():
            time.sleep(1.5)
            cluster.redis.xtrim(STREAM, maxlen=5, approximate=False)
            time.sleep(0.5)
    assert settled(publisher).unrecorded
