"""Redis is killed, full, asleep, or cuts off a listener that is slow."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bson
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from channels_app.models import Gap
from relaybase import keys
from tests.integration.listening.world import full

from .cluster import Cluster, Wait
from .conftest import Settle
from .publisher import Publisher
from .servers import OwnServer


@contextmanager
def reading(url: str) -> Iterator[list[str]]:
    """What somebody else reads from the stream meanwhile: Redis has taken all of that."""
    seen: list[str] = []
    done = threading.Event()

    def read() -> None:
        last = b"0"
        with redis.Redis.from_url(url, socket_timeout=5, retry=Retry(NoBackoff(), 0)) as client:
            while not done.is_set():
                try:
                    answer: Any = client.xread({keys.stream(0): last}, count=1000, block=50)
                except redis.RedisError:
                    time.sleep(0.02)
                    continue
                for _, entries in answer or []:
                    for entry, fields in entries:
                        last = entry
                        seen.extend(document["message"] for document in bson.decode_all(fields[b"bson"]))

    thread = threading.Thread(target=read, name="reader of the stream")
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join(15)


# --- killed --------------------------------------------------------------------------------


@pytest.mark.fault(9)
@pytest.mark.parametrize("kills", [2, pytest.param(5, marks=pytest.mark.long)])
def test_killed_and_back_it_has_kept_the_stream_and_the_rest_is_a_gap(
    own_redis: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait, kills: int
) -> None:
    pair.channel("orders", "every")
    with reading(own_redis.url) as seen, Publisher(own_redis.url, "orders") as publisher:
        for number in range(kills):
            wait_until(lambda: pair.is_active("orders"), seconds=20, what="heard")
            time.sleep(1)
            own_redis.kill()
            time.sleep(0.3)
            own_redis.restart()
            pair.wait_for(2)
            wait_until(
                lambda: Gap.objects.filter(cause="Redis restarted", covered=False).count() > number,  # noqa: B023
                what="a gap for this restart",
            )
        time.sleep(0.5)
    verdict = settled(publisher)
    assert len(seen) > 1000
    assert not set(seen) & set(verdict.lost), "Redis had taken it"
    assert verdict.is_clean_but_for_losses, str(verdict)
    assert Gap.objects.filter(cause="Redis restarted", covered=False).count() == kills


@pytest.mark.fault(9)
@pytest.mark.long
@pytest.mark.parametrize(
    ("own_redis", "keeps"),
    [((), True), (("--appendonly", "no"), False)],
    ids=["with its file", "control without its file"],
    indirect=["own_redis"],
)
def test_what_waited_on_the_stream_is_stored_after_a_kill(
    own_redis: OwnServer, cluster: Cluster, archive: Any, wait_until: Wait, keeps: bool
) -> None:
    """No writer runs when Redis dies: only its append-only file has the entries then."""
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    cluster.channel("orders")
    with reading(own_redis.url) as seen:
        with Publisher(own_redis.url, "orders") as publisher:
            time.sleep(1)
        wait_until(lambda: len(seen) >= len(publisher.accepted), what="everything on the stream")
    own_redis.kill()
    own_redis.restart()
    cluster.start("write")
    cluster.wait_for(2)
    # What comes after the restart is stored in either case: the writer has seen what there is.
    wait_until(lambda: cluster.redis.publish("orders", "after") and archive.find_one({"message": "after"}))
    lost = set(seen) - {row["message"] for row in archive.find()}
    assert bool(lost) is not keeps, f"{len(lost)} of {len(seen)} lost"


# --- full, asleep --------------------------------------------------------------------------


@pytest.mark.fault(9)
def test_full_for_a_while_it_gets_everything_later(pair: Cluster, settled: Settle) -> None:
    pair.channel("orders", "every")
    with Publisher(pair.redis_url, "orders", rate=500) as publisher:
        time.sleep(0.5)
        with full(pair.redis):
            time.sleep(3)
        time.sleep(1)
    assert "OOM" in pair.log(), "the fault did not happen"
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


@pytest.mark.fault(9)
def test_full_for_too_long_what_is_given_up_is_a_gap(
    cluster: Cluster, settled: Settle, wait_until: Wait
) -> None:
    memory = {"RELAY_LISTENER_MEMORY_BYTES": str(1 << 20), "RELAY_MESSAGE_MAX_BYTES": "10000"}
    cluster.start("write", **memory)
    cluster.start("listen", **memory)
    cluster.start("listen", **memory)
    cluster.wait_for(2)
    cluster.channel("orders", "every")
    texts = [f"orders {number} {'filling' * 300}" for number in range(3000)]
    with Publisher(cluster.redis_url, "orders", texts=texts) as publisher:
        time.sleep(0.5)
        with full(cluster.redis):
            publisher.finish()
    wait_until(lambda: Gap.objects.filter(cause="memory full").exists(), what="a gap")
    verdict = settled(publisher)
    assert verdict.lost, "the fault did not happen"
    assert verdict.is_clean_but_for_losses, str(verdict)
    bound = sum(gap.missed_at_most or 0 for gap in Gap.objects.filter(covered=False))
    assert len(verdict.lost) <= bound


@pytest.mark.fault(9)
@pytest.mark.long
def test_asleep_for_five_seconds_nothing_is_lost(
    own_redis: OwnServer, pair: Cluster, settled: Settle
) -> None:
    pair.channel("orders", "every")
    with redis.Redis.from_url(own_redis.url, socket_timeout=10) as client:
        with Publisher(own_redis.url, "orders") as publisher:
            time.sleep(0.5)
            began = time.monotonic()
            client.execute_command("DEBUG", "SLEEP", "5")
            assert time.monotonic() - began >= 5, "the fault did not happen"
            time.sleep(1)
    verdict = settled(publisher)
    assert verdict.is_clean, str(verdict)
    assert not Gap.objects.filter(covered=False).exists()


# --- a buffer that overruns ----------------------------------------------------------------


@pytest.mark.fault(10)
@pytest.mark.parametrize("frozen", [1, 2])
def test_a_buffer_that_overruns_is_covered_by_the_other_listener_or_a_gap(
    own_redis: OwnServer, pair: Cluster, settled: Settle, wait_until: Wait, frozen: int
) -> None:
    pair.redis.config_set("client-output-buffer-limit", "pubsub 1mb 1mb 60")
    pair.channel("orders", "every")
    texts = [f"orders {number} {'filling' * 2000}" for number in range(3000)]
    leader = pair.leader()
    assert leader is not None
    slow = [leader, *(process for process in pair.listeners if process is not leader)][:frozen]
    with Publisher(own_redis.url, "orders", texts=texts) as publisher:
        time.sleep(0.2)
        for process in slow:
            pair.signal(process, signal.SIGSTOP)
        wait_until(lambda: len(pair.data_connections()) == 2 - frozen, seconds=20, what="cut off by Redis")
        for process in slow:
            pair.signal(process, signal.SIGCONT)
        publisher.finish()
    pair.wait_for(2)
    verdict = settled(publisher)
    assert verdict.is_clean_but_for_losses, str(verdict)
    gaps = Gap.objects.filter(covered=False)
    if frozen == 1:
        assert verdict.is_clean, str(verdict)
        assert not gaps.exists()
    else:
        assert verdict.lost, "the fault did not happen"
        assert len(verdict.lost) <= sum(gap.missed_at_most or 0 for gap in gaps)
