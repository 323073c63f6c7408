"""Two listeners, one of which is killed, frozen, cut off or stopped: nothing lost, nothing stored twice."""

import random
import signal
import time

import pytest

from channels_app.models import Gap

from .cluster import Cluster
from .conftest import Settle
from .publisher import Publisher

POLICIES = ["content", "every"]
ALONE = {"RELAY_LISTENERS_PER_PARTITION": "1"}


@pytest.fixture
def pair(cluster: Cluster) -> Cluster:
    """Two listeners and a writer."""
    cluster.start("write")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    return cluster


def kill_one_after_another(cluster: Cluster, kills: int, **environment: str) -> None:
    """At random moments, the leader as often as the other one. The killed one is started again."""
    for number in range(kills):
        time.sleep(random.uniform(0.1, 0.6))
        leader = cluster.leader()
        assert leader is not None
        others = [process for process in cluster.listeners if process is not leader]
        cluster.signal(leader if number % 2 == 0 or not others else others[0], signal.SIGKILL)
        listeners = len(cluster.listeners) + 1
        cluster.replace_listener(**environment)
        cluster.wait_for(listeners)


@pytest.mark.parametrize("policy", POLICIES)
def test_one_of_two_killed_again_and_again(pair: Cluster, settled: Settle, policy: str) -> None:
    pair.channel("orders", policy)
    with Publisher(pair.redis_url, "orders") as publisher:
        kill_one_after_another(pair, kills=8)
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert verdict.published > 3000
    assert not Gap.objects.filter(covered=False).exists()


def test_control_one_listener_killed_loses_messages_and_says_how_many(
    cluster: Cluster, settled: Settle
) -> None:
    cluster.start("write")
    cluster.start("listen", **ALONE)
    cluster.wait_for(1)
    cluster.channel("orders")
    with Publisher(cluster.redis_url, "orders") as publisher:
        kill_one_after_another(cluster, kills=2, **ALONE)
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.lost
    assert publisher.unheard
    bound = sum(gap.missed_at_most or 0 for gap in Gap.objects.filter(covered=False))
    assert len(verdict.lost) <= bound


def test_equal_payloads_are_stored_as_often_as_they_were_published(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "every")
    texts = [f"text {number % 6}" for number in range(12_000)]
    with Publisher(pair.redis_url, "orders", texts=texts) as publisher:
        kill_one_after_another(pair, kills=8)
        publisher.finish()
    verdict = settled(publisher)
    assert publisher.accepted == texts
    assert verdict.stored == 12_000


def test_control_under_content_equal_payloads_are_stored_once(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "content")
    texts = [f"text {number % 6}" for number in range(1000)]
    with Publisher(pair.redis_url, "orders", texts=texts) as publisher:
        publisher.finish()
    assert settled(publisher).stored == 6
