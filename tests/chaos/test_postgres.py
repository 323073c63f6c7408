"""PostgreSQL is away, for a while and while a leader dies."""

import signal
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels_app.models import Gap
from tests.proxy import Proxy

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

COVERED_SECONDS = 30


@pytest.mark.fault(13)
@pytest.mark.parametrize("seconds", [5, pytest.param(60, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    "dies",
    [pytest.param(False, marks=pytest.mark.long, id="nobody dies"), pytest.param(True, id="the leader dies")],
)
def test_away_everything_is_relayed_and_stored_all_the_same(
    cluster: Cluster, settled: Settle, archive: Any, wait_until: Wait, seconds: int, dies: bool
) -> None:
    with Proxy.to(cluster.database_url) as proxy:
        for command in ("write", "listen", "listen"):
            cluster.start(command, DATABASE_URL=proxy.url)
        cluster.wait_for(2)
        cluster.channel("orders", "every")
        with Publisher(cluster.redis_url, "orders") as publisher:
            time.sleep(0.5)
            leader = cluster.leader()
            assert leader is not None
            with proxy.refusing():
                assert proxy.reset_all() >= 3
                time.sleep(2)
                if dies:
                    cluster.signal(leader, signal.SIGKILL)
                before = archive.count_documents({})
                time.sleep(seconds)
                assert archive.count_documents({}) - before > seconds * 300, "it waits for PostgreSQL"
            if dies:
                cluster.replace_listener()
            wait_until(lambda: cluster.is_active("orders"), seconds=COVERED_SECONDS, what="ACTIVE")
            cluster.wait_for(2)
        verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.fault(13)
def test_a_gap_that_nobody_could_write_down_is_found_again(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    with Proxy.to(cluster.database_url) as proxy:
        cluster.start("write")
        alone = cluster.start("listen", DATABASE_URL=proxy.url)
        cluster.wait_for(1)
        cluster.channel("orders")
        with Publisher(cluster.redis_url, "orders") as publisher:
            time.sleep(0.5)
            with proxy.refusing():
                assert proxy.reset_all() >= 2
                with cluster.redis.pipeline() as pipe:
                    pipe.client_kill_filter(_type="pubsub").publish("orders", "to nobody").time()
                    killed, receivers, (second, microsecond) = pipe.execute()
                assert (killed, receivers) == (1, 0), "it was never deaf"
                wait_until(lambda: "(connection lost); missed" in cluster.log(), what="it knows of the gap")
                time.sleep(1)
                cluster.signal(alone, signal.SIGKILL)
            cluster.replace_listener()
            wait_until(lambda: cluster.is_active("orders"), seconds=COVERED_SECONDS, what="ACTIVE")
            cluster.wait_for(1)
        verdict = settled(publisher)
    deaf_at = datetime.fromtimestamp(second, UTC) + timedelta(microseconds=microsecond)
    assert Gap.objects.filter(covered=False, began_at__lte=deaf_at, ended_at__gte=deaf_at).exists()
    assert verdict.is_clean_but_for_losses, str(verdict)
