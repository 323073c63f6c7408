"""Anybody may publish on Relay's internal channels: it changes nothing that anybody can see."""

import itertools
import signal
import time
from typing import Any

import pytest

from channels_app import registration
from channels_app.models import Gap
from relaycore.policy import EVERY

from .cluster import Cluster, Wait, control_channel, tick_channel
from .conftest import Settle
from .noise import Noise, Said, forged, overhearing, publish
from .publisher import Publisher

pytestmark = pytest.mark.fault(23)

BURST = 40_000
NEVER_REACHED = 1_000_000_000
"""An epoch, which would depose every leader if it were believed."""


def overheard(cluster: Cluster) -> list[Said]:
    """What Relay has said itself: ticks, and that somebody look at channels."""
    with overhearing(cluster.redis, [tick_channel(), control_channel()]) as said:
        registration.wake([(0, "orders"), (0, "")])
        time.sleep(1)
    assert {channel for channel, _ in said} == {tick_channel(), control_channel()}
    return said


def forgeries(said: list[Said]) -> list[Said]:
    """What somebody may say who has heard all that, and does not know the secret."""
    tick = next(payload for channel, payload in said if channel == tick_channel())
    on_ticks = [forged(tick, NEVER_REACHED), b"", b"noise", b"\xff" * 100]
    on_control = [b"", b"orders", b"noise", b"\xff" * 100]
    return [(tick_channel(), one) for one in on_ticks] + [(control_channel(), one) for one in on_control]


def start(name: str, cluster: Cluster, wait_until: Wait) -> float:
    """How many seconds it takes until a channel is heard."""
    began = time.monotonic()
    registration.start(name, EVERY)
    wait_until(lambda: cluster.is_active(name), seconds=30, what=f"{name} ACTIVE")
    return time.monotonic() - began


def test_steady_noise_while_listeners_die_and_are_cut_off(
    pair: Cluster, settled: Settle, wait_until: Wait
) -> None:
    pair.channel("orders", "every")
    said = overheard(pair)
    said += forgeries(said) * 4
    with Publisher(pair.redis_url, "orders", rate=500) as publisher:
        with Noise(pair.redis_url, said) as noise:
            assert start("alerts", pair, wait_until) < 1.0
            pair.wait_until_all_hear("alerts")
            for _ in range(2):
                leader = pair.leader()
                assert leader is not None
                [standby] = [process for process in pair.listeners if process is not leader]
                pair.signal(leader, signal.SIGKILL)
                pair.replace_listener()
                pair.wait_for(2)
                clients = pair.data_connections()
                assert pair.redis.client_kill_filter(_id=clients[0]["id"]) == 1
                pair.wait_for(2)
                assert standby.poll() is None
            assert start("prices", pair, wait_until) < 1.0
    assert noise.published > 5000
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.parametrize("what", ["forged", "replayed"])
def test_a_burst_stands_neither_before_a_gap_nor_before_a_channel(
    pair: Cluster, settled: Settle, wait_until: Wait, what: str
) -> None:
    pair.channel("orders", "every")
    said = overheard(pair)
    said = forgeries(said) if what == "forged" else said
    looks = [(channel, payload) for channel, payload in said if channel == control_channel()]
    burst = list(itertools.islice(itertools.cycle(looks), BURST))
    with Publisher(pair.redis_url, "orders", rate=200) as publisher:
        assert publish(pair.redis, burst) == BURST
        assert start("alerts", pair, wait_until) < 2.0
        assert publish(pair.redis, burst) == BURST
        assert pair.redis.client_kill_filter(_type="pubsub") >= 2
        wait_until(lambda: Gap.objects.filter(covered=False).exists(), seconds=3, what="a gap")
        wait_until(lambda: Gap.objects.exclude(ended_at=None).exists(), seconds=3, what="its end")
        pair.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean_but_for_losses, str(verdict)


def test_control_who_believes_every_tick_lets_anybody_depose_it(cluster: Cluster, archive: Any) -> None:
    cluster.start("write")
    cluster.start_careless("seals")
    cluster.start_careless("seals")
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    publish(cluster.redis, [said for said in forgeries(overheard(cluster)) if said[0] == tick_channel()])
    time.sleep(2)
    assert cluster.redis.publish("orders", "whom nobody leads") == 2
    time.sleep(2)
    assert not archive.count_documents({})
