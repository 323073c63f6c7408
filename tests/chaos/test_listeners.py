"""Two listeners, one of which is killed, frozen, cut off or stopped: nothing lost, nothing stored twice."""

import random
import signal
import statistics
import subprocess
import time
from collections.abc import Callable

import pytest

from channels_app.models import Gap
from leases_app.models import Lease
from tests.proxy import Proxy

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher

POLICIES = ["every", pytest.param("content", marks=pytest.mark.long)]
"""`every` is the harder one: what is heard twice must get the same name twice."""

OVER_TLS = {
    "test_one_of_two_killed_again_and_again",
    "test_both_killed_is_a_gap_with_a_bound",
    "test_connections_cut_again_and_again",
}
"""These, in the short form too. In the long one all do."""

ALONE = {"RELAY_LISTENERS_PER_PARTITION": "1"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each fault once without TLS to Redis and once with it."""
    name = metafunc.definition.originalname
    if name.startswith("test_control"):
        return
    marks = [pytest.mark.fault(18), *([] if name in OVER_TLS else [pytest.mark.long])]
    metafunc.parametrize("network", ["plain", pytest.param("TLS", marks=marks)], indirect=True)


def await_successor(cluster: Cluster, gone: "subprocess.Popen[bytes]", wait_until: Wait) -> float:
    """Until another process leads; how many seconds it took."""
    began = time.monotonic()
    wait_until(lambda: cluster.leader() not in {None, gone}, what="another leader")
    return time.monotonic() - began


def kill_one_after_another(cluster: Cluster, chance: random.Random, kills: int, **environment: str) -> None:
    """At random moments, the leader as often as the other one. The killed one is started again."""
    for number in range(kills):
        time.sleep(chance.uniform(0.1, 0.6))
        leader = cluster.leader()
        assert leader is not None
        others = [process for process in cluster.listeners if process is not leader]
        cluster.signal(leader if number % 2 == 0 or not others else others[0], signal.SIGKILL)
        listeners = len(cluster.listeners) + 1
        cluster.replace_listener(**environment)
        cluster.wait_for(listeners)


@pytest.mark.fault(1)
@pytest.mark.parametrize("policy", POLICIES)
def test_one_of_two_killed_again_and_again(
    pair: Cluster, settled: Settle, policy: str, chance: random.Random
) -> None:
    pair.channel("orders", policy)
    with Publisher(pair.redis_url, "orders") as publisher:
        kill_one_after_another(pair, chance, kills=8)
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert verdict.published > 3000
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.fault(1)
def test_control_one_listener_killed_loses_messages_and_says_how_many(
    cluster: Cluster, settled: Settle, chance: random.Random
) -> None:
    cluster.start("write")
    cluster.start("listen", **ALONE)
    cluster.wait_for(1)
    cluster.channel("orders")
    with Publisher(cluster.redis_url, "orders") as publisher:
        kill_one_after_another(cluster, chance, kills=2, **ALONE)
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.lost
    assert publisher.unheard
    bound = sum(gap.missed_at_most or 0 for gap in Gap.objects.filter(covered=False))
    assert len(verdict.lost) <= bound


@pytest.mark.fault(8)
def test_equal_payloads_are_stored_as_often_as_they_were_published(
    pair: Cluster, settled: Settle, chance: random.Random
) -> None:
    pair.channel("orders", "every")
    texts = [f"text {number % 6}" for number in range(12_000)]
    with Publisher(pair.redis_url, "orders", texts=texts) as publisher:
        kill_one_after_another(pair, chance, kills=8)
        publisher.finish()
    verdict = settled(publisher)
    assert publisher.accepted == texts
    assert verdict.stored == 12_000


@pytest.mark.fault(8)
def test_control_under_content_equal_payloads_are_stored_once(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "content")
    texts = [f"text {number % 6}" for number in range(1000)]
    with Publisher(pair.redis_url, "orders", texts=texts) as publisher:
        publisher.finish()
    assert settled(publisher).stored == 6


@pytest.mark.fault(1)
def test_a_standby_leads_within_a_second(
    pair: Cluster, settled: Settle, wait_until: Wait, took_over: Callable[[float], None]
) -> None:
    pair.channel("orders")
    seconds = []
    with Publisher(pair.redis_url, "orders") as publisher:
        for _ in range(3):
            leader = pair.leader()
            assert leader is not None
            pair.signal(leader, signal.SIGKILL)
            seconds.append(await_successor(pair, leader, wait_until))
            took_over(seconds[-1])
            pair.replace_listener()
            pair.wait_for(2)
    assert statistics.median(seconds) < 1.0, seconds
    assert settled(publisher).is_clean


@pytest.mark.fault(2)
def test_both_killed_is_a_gap_with_a_bound(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders")
    rate = 1000
    with Publisher(pair.redis_url, "orders", rate) as publisher:
        time.sleep(1)
        for process in pair.listeners:
            pair.signal(process, signal.SIGKILL)
        pair.replace_listener()
        pair.replace_listener()
        pair.wait_for(2)
        time.sleep(0.5)
    verdict = settled(publisher)
    [gap] = Gap.objects.filter(covered=False)
    lost = len(verdict.lost)
    assert lost, "the fault did not happen"
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert gap.ended_at is not None
    assert gap.missed_at_most is not None
    assert lost <= gap.missed_at_most <= max(2 * lost, lost + rate)
    for text in verdict.lost:
        assert gap.began_at.timestamp() - 0.1 <= publisher.times[text] <= gap.ended_at.timestamp() + 0.1


@pytest.mark.fault(3)
def test_every_process_replaced_in_turn(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders") as publisher:
        for _ in range(2):
            for process in list(pair.running):
                command = pair.command_of(process)
                assert pair.stop(process) < 10
                pair.start(command)
                pair.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.exists()


@pytest.mark.fault(3)
def test_a_leader_whose_life_is_over_hands_over(cluster: Cluster, settled: Settle, wait_until: Wait) -> None:
    cluster.start("write")
    first = cluster.start("listen", RELAY_LISTENER_LIFE_SECONDS="1")
    cluster.wait_for(1)
    cluster.channel("orders", "every")
    with Publisher(cluster.redis_url, "orders") as publisher:
        time.sleep(1.5)
        assert cluster.leader() is first, "it has left although nobody could take over"
        cluster.start("listen")
        wait_until(lambda: first.poll() == 0, seconds=20, what="the first to end")
        time.sleep(0.5)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.exists()


@pytest.mark.fault(3)
def test_control_stopped_and_then_started_loses_messages(cluster: Cluster, settled: Settle) -> None:
    cluster.start("write")
    process = cluster.start("listen", **ALONE)
    cluster.wait_for(1)
    cluster.channel("orders")
    with Publisher(cluster.redis_url, "orders") as publisher:
        time.sleep(0.5)
        cluster.stop(process)
        cluster.start("listen", **ALONE)
        cluster.wait_for(1)
    verdict = settled(publisher)
    assert verdict.lost
    [gap] = Gap.objects.all()
    assert len(verdict.lost) <= (gap.missed_at_most or 0)


@pytest.mark.fault(4)
@pytest.mark.parametrize("policy", POLICIES)
def test_a_leader_that_is_frozen_and_wakes_up_steps_down(
    pair: Cluster, settled: Settle, wait_until: Wait, policy: str
) -> None:
    pair.channel("orders", policy)
    with Publisher(pair.redis_url, "orders") as publisher:
        time.sleep(0.5)
        frozen = pair.leader()
        assert frozen is not None
        pair.signal(frozen, signal.SIGSTOP)
        await_successor(pair, frozen, wait_until)
        time.sleep(5)
        epoch = Lease.objects.get(role=Lease.Role.LISTENER).epoch
        pair.signal(frozen, signal.SIGCONT)
        time.sleep(1.5)
    row = Lease.objects.get(role=Lease.Role.LISTENER)
    assert (row.epoch, row.pid == frozen.pid) == (epoch, False), "it has decided something"
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.fault(5)
def test_connections_cut_again_and_again(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders") as publisher:
        for number in range(20):
            clients = sorted(pair.data_connections(), key=lambda client: int(client["id"]))
            assert len(clients) == 2
            assert pair.redis.client_kill_filter(_id=clients[number % 2]["id"]) == 1
            pair.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert pair.log().count("not heard for a moment") == 20
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.fault(5)
def test_all_connections_cut_at_once_is_a_gap(pair: Cluster, settled: Settle, wait_until: Wait) -> None:
    pair.channel("orders")
    with Publisher(pair.redis_url, "orders") as publisher:
        time.sleep(0.5)
        assert pair.redis.client_kill_filter(_type="pubsub") >= 2
        wait_until(lambda: Gap.objects.filter(covered=False).exclude(ended_at=None).exists(), what="a gap")
        pair.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean_but_for_losses, str(verdict)
    bound = sum(gap.missed_at_most or 0 for gap in Gap.objects.filter(covered=False))
    assert len(verdict.lost) <= bound


@pytest.mark.fault(6)
@pytest.mark.parametrize("swallowed", ["leader", pytest.param("standby", marks=pytest.mark.long)])
def test_a_path_that_swallows_everything(
    cluster: Cluster, settled: Settle, wait_until: Wait, swallowed: str
) -> None:
    """No reset, no end: the connections of one listener just bring nothing any more."""
    cluster.start("write")
    with Proxy.to(cluster.redis_url_of_processes) as proxy:
        if swallowed == "leader":
            behind = cluster.start("listen", REDIS_URL=proxy.url)
            cluster.wait_for(1)
            cluster.start("listen")
        else:
            cluster.start("listen")
            cluster.wait_for(1)
            behind = cluster.start("listen", REDIS_URL=proxy.url)
        cluster.wait_for(2)
        cluster.channel("orders")
        with Publisher(cluster.redis_url, "orders") as publisher:
            time.sleep(0.5)
            with proxy.hole():
                if swallowed == "leader":
                    assert await_successor(cluster, behind, wait_until) < 2.0
                time.sleep(3)
            time.sleep(2)
        verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()
