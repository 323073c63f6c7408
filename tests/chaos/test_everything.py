"""Everything at random, one fault after another and over one another, and then quiet.

    make soak SOAK_MINUTES=60 SOAK_SEED=42

The seed is printed; the same one makes the same schedule (what becomes of it is up to the
scheduler of the machine).
"""

import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import psutil
import pytest
import redis

from channels_app import registration
from channels_app.models import Channel, Gap
from leases_app.models import Lease
from relaybase import keys
from tests.integration.listening.world import full
from tests.proxy import Proxy

from .cluster import Cluster, Wait, tick_channel
from .conftest import SEED, Settle
from .publisher import Publisher
from .servers import OwnServer

QUIET_SECONDS = 2.0
MOST_FILES, MOST_BYTES = 12, 80 << 20
"""More than a process has when it is new."""


class Chaos:
    """A cluster, its servers, and everything that can go wrong with them."""

    def __init__(
        self,
        cluster: Cluster,
        redis_server: OwnServer,
        mongo: OwnServer,
        postgres: Proxy,
        chance: random.Random,
        wait_until: Wait,
    ) -> None:
        self.cluster = cluster
        self.happened: Counter[str] = Counter()
        self._redis = redis_server
        self._mongo = mongo
        self._postgres = postgres
        self._chance = chance
        self._wait_until = wait_until
        self._faults: list[Callable[[], None]] = [
            self.kill_a_listener,
            self.kill_a_listener,
            self.kill_the_writer,
            self.stop_a_process,
            self.freeze_a_process,
            self.cut_a_connection,
            self.kill_all_listeners,
            self.cut_all_connections,
            self.kill_redis,
            self.fill_redis,
            self.put_redis_to_sleep,
            self.kill_mongo,
            self.lose_postgres,
            self.destroy_the_group,
            self.add_and_remove_a_channel,
        ]

    def strike(self) -> None:
        """One fault. What it has killed is started again, as beat would."""
        fault = self._chance.choice(self._faults)
        fault()
        self.happened[fault.__name__] += 1
        self.tend()

    def tend(self) -> None:
        """Start what is missing, if there is a seat for it."""
        live = Lease.objects.live()
        missing = 2 - live.filter(role=Lease.Role.SEAT).count()
        for _ in range(min(missing, 2 - len(self.cluster.listeners))):
            self.cluster.start("listen", DATABASE_URL=self._postgres.url)
        if not self.cluster.writers and not live.filter(role=Lease.Role.WRITER).exists():
            self.cluster.start("write", DATABASE_URL=self._postgres.url)

    # --- the faults ------------------------------------------------------------------

    def kill_a_listener(self) -> None:
        if self.cluster.listeners:
            self.cluster.signal(self._chance.choice(self.cluster.listeners), signal.SIGKILL)

    def kill_all_listeners(self) -> None:
        for process in self.cluster.listeners:
            self.cluster.signal(process, signal.SIGKILL)

    def kill_the_writer(self) -> None:
        for process in self.cluster.writers:
            self.cluster.signal(process, signal.SIGKILL)

    def stop_a_process(self) -> None:
        process = self._any()
        process.terminate()
        # One that has only just been started does not know yet how to stop.
        assert process.wait(10) in {0, -signal.SIGTERM}, "it does not stop by itself"
        self.cluster.running.remove(process)

    def freeze_a_process(self) -> None:
        process = self._any()
        process.send_signal(signal.SIGSTOP)
        self._rest(0.2, 4)
        process.send_signal(signal.SIGCONT)

    def cut_a_connection(self) -> None:
        clients = self.cluster.data_connections()
        if clients:
            self.cluster.redis.client_kill_filter(_id=self._chance.choice(clients)["id"])

    def cut_all_connections(self) -> None:
        self.cluster.redis.client_kill_filter(_type="pubsub")

    def kill_redis(self) -> None:
        self._redis.kill()
        self._rest(0, 1)
        self._redis.restart()

    def fill_redis(self) -> None:
        with full(self.cluster.redis):
            self._rest(0.2, 2)

    def put_redis_to_sleep(self) -> None:
        with self._redis.redis() as client:
            client.execute_command("DEBUG", "SLEEP", str(self._chance.uniform(0.2, 3)))

    def kill_mongo(self) -> None:
        self._mongo.kill()
        self._rest(0, 3)
        self._mongo.restart()

    def lose_postgres(self) -> None:
        self._any()  # Nobody else would miss it; who has only just been started needs a moment to.
        if self._chance.random() < 0.5:
            with self._postgres.refusing() as refusal:
                self._postgres.reset_all()
                self._rest(2, 4)
                self._wait_until(lambda: refusal.refused > 0, seconds=20, what="somebody refused")
        else:
            with self._postgres.hole() as hole:
                self._rest(2, 4)
                self._wait_until(lambda: hole.held > 0, seconds=20, what="somebody in the hole")

    def destroy_the_group(self) -> None:
        self.cluster.redis.xgroup_destroy(keys.stream(0), keys.GROUP)

    def add_and_remove_a_channel(self) -> None:
        name = f"passing {sum(self.happened.values())}"
        row = Channel.objects.create(channel=name)
        registration.wake([(0, name)])
        self._rest(0, 0.5)
        row.delete()
        registration.wake([(0, name)])

    def _any(self) -> "subprocess.Popen[bytes]":
        while not (self.cluster.listeners or self.cluster.writers):
            time.sleep(0.2)  # All are dead, and their leases live on for a moment.
            self.tend()
        return self._chance.choice([*self.cluster.listeners, *self.cluster.writers])

    def _rest(self, least: float, most: float) -> None:
        time.sleep(self._chance.uniform(least, most))


def sizes(cluster: Cluster) -> list[tuple[int, int]]:
    """Open files and resident bytes of each process."""
    processes = [psutil.Process(process.pid) for process in [*cluster.listeners, *cluster.writers]]
    return [(process.num_fds(), process.memory_info().rss) for process in processes]


@pytest.mark.fault(16)
@pytest.mark.parametrize(
    "seconds",
    [
        15.0,
        pytest.param(
            60 * float(os.environ.get("SOAK_MINUTES", "10")),
            marks=[pytest.mark.soak, pytest.mark.timeout(60 * 60 * 24)],
        ),
    ],
    ids=["short", "long"],
)
def test_everything_at_random(
    own_redis: OwnServer,
    own_mongo: OwnServer,
    cluster: Cluster,
    settled: Settle,
    seconds: float,
    wait_until: Wait,
) -> None:
    seed = int(os.environ.get("SOAK_SEED", SEED))
    print(f"SOAK_SEED={seed}")
    chance = random.Random(seed)
    with Proxy.to(cluster.database_url) as postgres:
        chaos = Chaos(cluster, own_redis, own_mongo, postgres, chance, wait_until)
        cluster.start("listen", DATABASE_URL=postgres.url)
        cluster.start("listen", DATABASE_URL=postgres.url)
        cluster.start("write", DATABASE_URL=postgres.url)
        cluster.wait_for(2)
        cluster.channel("every one", "every")
        cluster.channel("by content", "content")
        new = sizes(cluster)
        rate = 300
        with Publisher(own_redis.url, "every one", rate) as one:
            with Publisher(own_redis.url, "by content", rate) as other:
                deadline = time.monotonic() + seconds
                while time.monotonic() < deadline:
                    chaos.strike()
                    time.sleep(chance.uniform(0, 1.5))
                wait_until(lambda: is_whole(chaos), seconds=30, what="everything runs again")
                time.sleep(QUIET_SECONDS)
        verdict = settled(one, other, seconds=60)
        assert cluster.redis.ping()
        old = sizes(cluster)
    print(f"SOAK_SEED={seed}: {dict(chaos.happened)}")
    print(verdict)
    assert verdict.is_clean_but_for_losses, f"SOAK_SEED={seed}: {verdict}"
    assert not Gap.objects.filter(ended_at=None).exists()
    assert max(files for files, _ in old) <= max(files for files, _ in new) + MOST_FILES
    assert max(size for _, size in old) <= max(size for _, size in new) + MOST_BYTES


def is_whole(chaos: Chaos) -> bool:
    """Two listeners and a writer at work, and both channels heard."""
    try:
        chaos.tend()
        names = ("every one", "by content")
        heard = all(chaos.cluster.is_active(name) for name in names)
        hearing = chaos.cluster.audience(tick_channel())
    except redis.RedisError:
        return False
    return heard and hearing == 2 and len(chaos.cluster.writers) == 1
