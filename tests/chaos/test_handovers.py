"""Lives that end, one after another: routine hand-overs by the hundred lose nothing and are no gap."""

import pytest

from channels_app.models import Gap

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

LIFE = {"RELAY_LISTENER_LIFE_SECONDS": "2"}


@pytest.mark.fault(17)
@pytest.mark.parametrize(
    "hand_overs", [8, pytest.param(100, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_routine_hand_overs_lose_nothing(
    cluster: Cluster, settled: Settle, wait_until: Wait, hand_overs: int
) -> None:
    cluster.start("write")
    cluster.keep(2, **LIFE)
    cluster.wait_for(2)
    cluster.channel("every one", "every")
    cluster.channel("by content", "content")
    first = cluster.epoch()
    with Publisher(cluster.redis_url, "every one", rate=500) as one:
        with Publisher(cluster.redis_url, "by content", rate=500) as other:
            wait_until(
                lambda: cluster.epoch() >= first + hand_overs, seconds=10 + 3 * hand_overs, what="hand-overs"
            )
    verdict = settled(one, other)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.exists()


@pytest.mark.fault(17)
def test_control_who_goes_whoever_stands_by_loses_messages(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    cluster.start("write")
    # Alone, so that it is not up to chance whether the other one is ready.
    cluster.keep(1, "lives", **LIFE)
    cluster.wait_for(1)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders") as publisher:
        wait_until(lambda: Gap.objects.filter(covered=False).exists(), seconds=30, what="a gap")
        cluster.wait_for(1)
    verdict = settled(publisher)
    assert verdict.lost
    assert verdict.is_clean_but_for_losses, str(verdict)
