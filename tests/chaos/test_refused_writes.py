"""Redis takes no writes just when a leader is to go: what it has heard is not thrown away."""

import signal
import time

import pytest

from channels_app.models import Gap
from tests.integration.listening.world import full

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

pytestmark = pytest.mark.fault(19)


@pytest.mark.parametrize("seconds", [6, pytest.param(40, marks=pytest.mark.long)])
def test_lives_that_end_meanwhile(cluster: Cluster, settled: Settle, seconds: int) -> None:
    cluster.start("write")
    cluster.keep(2, RELAY_LISTENER_LIFE_SECONDS="2")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", rate=500) as publisher:
        time.sleep(0.5)
        with full(cluster.redis):
            time.sleep(seconds)  # Longer than any life.
        time.sleep(2)
    assert "OOM" in cluster.log(), "the fault did not happen"
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


def test_a_leader_that_is_told_to_go_leaves_what_it_has_to_the_standby(
    pair: Cluster, settled: Settle, wait_until: Wait
) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", rate=500) as publisher:
        time.sleep(0.5)
        with full(pair.redis):
            time.sleep(0.5)
            leader = pair.leader()
            assert leader is not None
            pair.signal(leader, signal.SIGTERM)
            wait_until(lambda: leader.poll() is not None, seconds=12, what="it has gone")
            assert leader.returncode == 0
            time.sleep(0.5)
        time.sleep(0.5)
    assert "OOM" in pair.log(), "the fault did not happen"
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert "are left to the standby" in pair.log()
    assert not Gap.objects.filter(covered=False).exists()


def test_control_who_goes_whatever_waits_takes_it_along(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    cluster.start("write")
    cluster.keep(2, "lives", RELAY_LISTENER_LIFE_SECONDS="2")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", rate=500) as publisher:
        time.sleep(0.5)
        with full(cluster.redis):
            time.sleep(6)
        time.sleep(2)
    verdict = settled(publisher)
    assert verdict.lost
    assert verdict.is_clean_but_for_losses, str(verdict)
