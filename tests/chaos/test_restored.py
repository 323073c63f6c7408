"""Each store is restored from an older copy: what it has lost is stored again, or on record."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from channels_app.models import Gap
from relaybase import keys
from relaybase.connections import mongo_collection

from .cluster import Cluster, Wait
from .conftest import Settle, is_drained
from .publisher import Publisher
from .servers import OwnServer

pytestmark = pytest.mark.fault(27)

RATE = 300
COLLECTIONS = ("partitions", "messages")
"""In this order, so that what is said to be stored is no more than what is in the copy."""


def start(cluster: Cluster, *writer: str) -> None:
    cluster.start(*writer, "write")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)


def stop(cluster: Cluster) -> None:
    """Everything but the servers."""
    for process in cluster.running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in cluster.running:
        process.wait(15)


def copy_of_mongo() -> dict[str, list[Any]]:
    return {name: list(mongo_collection(name).find()) for name in COLLECTIONS}


def restore_mongo(copy: dict[str, list[Any]]) -> None:
    """As `mongorestore --drop`, but for the indexes, which stay."""
    for name, documents in copy.items():
        mongo_collection(name).delete_many({})
        mongo_collection(name).insert_many(documents)


@pytest.mark.parametrize("is_kept", [True, False], ids=["on the stream", "cut off"])
def test_mongodb_is_restored(cluster: Cluster, settled: Settle, wait_until: Wait, is_kept: bool) -> None:
    start(cluster)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        copy = copy_of_mongo()
        assert copy["partitions"]
        time.sleep(2)
    wait_until(lambda: is_drained(cluster.redis), what="stored")
    stop(cluster)
    if not is_kept:
        cluster.redis.xtrim(keys.stream(0), maxlen=0, approximate=False)
    restore_mongo(copy)
    start(cluster)
    with Publisher(cluster.redis_url, "orders", RATE, [f"later {n}" for n in range(RATE)]) as later:
        later.finish()
    verdict = settled(publisher, scored=False)
    lost = [text for text in verdict.lost if not text.startswith("later")]
    assert not verdict.unrecorded, str(verdict)
    restored = Gap.objects.filter(cause=Gap.Cause.ARCHIVE_RESTORED)
    assert bool(lost) is not is_kept
    assert restored.exists() is not is_kept
    assert sum(gap.missed_at_most or 0 for gap in restored) >= len(lost)


def test_control_who_believes_a_restored_mongodb_loses_unrecorded(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    start(cluster)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        copy = copy_of_mongo()
        time.sleep(2)
    wait_until(lambda: is_drained(cluster.redis), what="stored")
    stop(cluster)
    cluster.redis.xtrim(keys.stream(0), maxlen=0, approximate=False)
    restore_mongo(copy)
    start(cluster, "-m", "tests.chaos.careless", "copies")
    assert settled(publisher).unrecorded


def test_redis_is_restored(
    own_redis: OwnServer, cluster: Cluster, settled: Settle, wait_until: Wait, tmp_path: Path
) -> None:
    start(cluster)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE) as publisher:
        time.sleep(1)
        own_redis.copy_to(tmp_path / "copy")
        time.sleep(2)
    wait_until(lambda: is_drained(cluster.redis), what="stored")
    last = newest_position()
    stop(cluster)
    own_redis.restart_with(tmp_path / "copy")
    start(cluster)
    with Publisher(cluster.redis_url, "orders", RATE, [f"later {n}" for n in range(RATE)]) as later:
        later.finish()
    verdict = settled(publisher, scored=False)
    assert not verdict.lost, "all of it was stored before"
    assert not verdict.twice
    positions = [
        row["position"] for row in mongo_collection("messages").find({"message": {"$regex": "^later"}})
    ]
    assert len(positions) == RATE
    assert min(positions) > last, "a position below one that a reader has passed"


def newest_position() -> str:
    [row] = mongo_collection("messages").find().sort("position", -1).limit(1)
    return str(row["position"])
