"""MongoDB is killed, away, steps down, or answers with every error that there is."""

import time
from typing import Any

import pymongo
import pytest

from relaybase import keys
from relaybase.connections import mongo_collection
from tests.integration.writing.test_mongo_faults import FAULTS
from tests.integration.writing.world import Failpoint

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer

RATE = 1000
REPLICA_SET = ("--replSet", "rs0", "--oplogSize", "64")


def stored() -> int:
    return mongo_collection("messages").count_documents({})


@pytest.mark.fault(12)
@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.long)])
def test_killed_again_and_again(
    own_mongo: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait, kills: int
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders") as publisher:
        for _ in range(kills):
            before = stored()
            wait_until(lambda: stored() > before + 500, seconds=20, what="storing")  # noqa: B023
            own_mongo.kill()
            own_mongo.restart()
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)


@pytest.mark.fault(12)
@pytest.mark.long
@pytest.mark.parametrize("own_mongo", [("--journalCommitInterval", "500")], indirect=True)
def test_control_without_its_journal_it_loses_what_it_has_acknowledged(
    own_mongo: OwnServer, cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    cluster.start("-m", "tests.chaos.hasty_writer", "durability")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders") as publisher:
        for _ in range(3):
            before = stored()
            wait_until(lambda: stored() > before + 1000, seconds=20, what="storing")  # noqa: B023
            own_mongo.kill()
            own_mongo.restart()
    assert settled(publisher).unrecorded


@pytest.fixture
def replica_set(own_mongo: OwnServer, wait_until: Wait) -> Any:
    """`own_mongo` as a replica set of one; a client of it."""
    with pymongo.MongoClient(own_mongo.url, directConnection=True) as client:
        members = [{"_id": 0, "host": f"127.0.0.1:{own_mongo.port}"}]
        client.admin.command("replSetInitiate", {"_id": "rs0", "members": members})
        wait_until(lambda: client.admin.command("hello")["isWritablePrimary"], what="a primary")
        yield client


@pytest.mark.fault(12)
@pytest.mark.long
@pytest.mark.parametrize("own_mongo", [REPLICA_SET], indirect=True)
def test_a_primary_that_steps_down(
    own_mongo: OwnServer, replica_set: Any, pair: Cluster, settled: Settle, wait_until: Wait
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders") as publisher:
        for _ in range(2):
            before = stored()
            wait_until(lambda: stored() > before + 200, seconds=20, what="storing")  # noqa: B023
            replica_set.admin.command("replSetStepDown", 1, force=True)
            assert not replica_set.admin.command("hello")["isWritablePrimary"], "the fault did not happen"
            wait_until(
                lambda: replica_set.admin.command("hello")["isWritablePrimary"], seconds=20, what="a primary"
            )
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)


@pytest.mark.fault(12)
@pytest.mark.long
def test_every_class_of_error(cluster: Cluster, settled: Settle, settings: Any, wait_until: Wait) -> None:
    """And an insert that times out although it has happened."""
    # After "not primary" the driver waits for news. A failpoint sends none, so here it asks, and often.
    url = settings.SERVERS.mongo_url + "?serverMonitoringMode=poll&heartbeatFrequencyMS=500"
    cluster.start("write", MONGO_URL=url, RELAY_MONGO_TIMEOUT_SECONDS="1")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    late = {"an insert without an answer": {"blockConnection": True, "blockTimeMS": 3000}}
    with Publisher(cluster.redis_url, "orders") as publisher:
        for name, fault in (FAULTS | late).items():
            with Failpoint(times=2, **fault) as failpoint:
                wait_until(lambda: failpoint.entered >= 2, seconds=20, what=name)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)


@pytest.mark.fault(12)
@pytest.mark.parametrize("seconds", [6, pytest.param(60, marks=pytest.mark.long)])
def test_what_waited_is_stored_three_times_as_fast_as_it_comes(
    own_mongo: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait, seconds: int
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        wait_until(stored, what="storing")
        before = stored()
        own_mongo.kill()
        time.sleep(seconds)
        assert len(publisher.accepted) - before > 0.8 * seconds * RATE, "the fault did not happen"
        own_mongo.restart()
        before = stored()
        wait_until(lambda: stored() > before, seconds=10, what="storing again")
        began, before = time.monotonic(), stored()
        behind = len(publisher.accepted) - before
        wait_until(lambda: len(publisher.accepted) - stored() < RATE // 4, seconds=60, what="caught up")
        rate = (stored() - before) / (time.monotonic() - began)
    # Whoever looks late, on a busy machine, finds that it has caught up already.
    assert rate >= 3 * RATE or behind < RATE // 4, f"{rate:.0f}/s"
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)


@pytest.mark.fault(12)
@pytest.mark.long
def test_a_stream_of_bounded_length_loses_what_waits_and_that_is_on_record(
    own_mongo: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", RATE) as publisher:
        wait_until(stored, what="storing")
        own_mongo.kill()
        time.sleep(2)
        assert pair.redis.xtrim(keys.stream(0), maxlen=10, approximate=False)
        own_mongo.restart()
        time.sleep(1)
    verdict = settled(publisher, scored=False)
    assert verdict.lost
    assert verdict.is_clean_but_for_losses, str(verdict)
