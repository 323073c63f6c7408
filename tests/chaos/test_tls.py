"""Redis over TLS, under load: a standby keeps up, and takes over whole.

The faults of `test_listeners.py` run over TLS as well.
"""

import signal
import time

import pytest

from channels_app.models import Gap

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

RATE, BYTES = 1500, 500
BEHIND = "publishes ticks that do not arrive"
"""What a listener says that has not read up to the ticks which it waits for, and begins anew."""

pytestmark = [
    pytest.mark.fault(18),
    pytest.mark.parametrize("network", ["TLS"], indirect=True),
]


def texts(seconds: int) -> list[str]:
    """For so long, at the rate, and of the size."""
    return [f"orders {number} ".ljust(BYTES, "x") for number in range(RATE * seconds)]


@pytest.mark.parametrize("seconds", [8, pytest.param(60, marks=pytest.mark.long)])
def test_the_leader_is_killed_under_load(pair: Cluster, settled: Settle, seconds: int) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", RATE, texts(seconds)) as publisher:
        time.sleep(seconds / 2)
        leader = pair.leader()
        assert leader is not None
        pair.signal(leader, signal.SIGKILL)
        pair.replace_listener()
        publisher.finish()
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert BEHIND not in pair.log()
    assert not Gap.objects.filter(covered=False).exists()


def test_control_who_reads_one_record_at_a_time_falls_behind(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    cluster.start("write")
    cluster.start_careless("records")
    cluster.start_careless("records")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders", RATE, texts(30)) as publisher:
        gaps = Gap.objects.filter(covered=False)
        for _ in range(5):
            # What is lost is up to chance: much, if the other one is behind when the leader dies.
            seen = cluster.log().count(BEHIND)
            wait_until(lambda seen=seen: cluster.log().count(BEHIND) > seen, seconds=20, what="one behind")
            time.sleep(1)
            leader, epoch = cluster.leader(), cluster.epoch()
            assert leader is not None
            cluster.signal(leader, signal.SIGKILL)
            wait_until(lambda epoch=epoch: cluster.epoch() > epoch, seconds=20, what="another leader")
            if gaps.exists():
                break
            cluster.start_careless("records")
            cluster.wait_for(2)
    verdict = settled(publisher)
    assert verdict.lost or Gap.objects.filter(covered=False).exists()
    assert verdict.is_clean_but_for_losses, str(verdict)
