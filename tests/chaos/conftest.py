"""A cluster of real processes on clean servers, and what is stored by it.

The order of a test's arguments matters: servers of its own come before the cluster.
"""

import operator
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import redis as redis_driver

from access_app import tokens
from access_app.models import Token
from channels_app.models import Gap
from relaybase import connections, keys
from relaybase.connections import mongo_collection, shared_redis
from relaystack.servers.mongo import Mongo
from relaystack.servers.valkey import Valkey
from tests.proxy import Proxy

from .checker import Verdict, judge
from .cluster import Cluster, Wait
from .publisher import LAST, Publisher, publish_last
from .score import Score, counts, keep
from .servers import OwnServer

Settle = Callable[..., Verdict]

_CLOCK_SECONDS = 0.3
"""The publisher notes a time when it has the answer, and gaps have the time of Redis."""

_RECORDED_SECONDS = 3.0

SEED = int(os.environ.setdefault("CHAOS_SEED", str(time.time_ns() % 100_000)))
"""Of what happens at random: the moments of a kill, the schedule of a soak.

In the environment, so that the workers have the same where several faults happen at once.
"""

LOADED = os.environ.get("CHAOS_LOAD", "0") != "0"
"""Whether another process takes a whole core meanwhile."""

_FIRST = "gw0"
"""The worker that takes it, if there are several."""

_began_at = time.monotonic()
_score = Score(SEED, "a whole core" if LOADED else "none")
"""Added up from the reports of the tests: they may have run in other processes."""


@pytest.fixture(scope="session", autouse=True)
def load() -> Iterator[None]:
    """Somebody else who takes a whole core, if `CHAOS_LOAD` asks for it; ends with this process."""
    if not LOADED or os.environ.get("PYTEST_XDIST_WORKER", _FIRST) != _FIRST:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _TAKE_A_CORE, str(os.getpid())])
    yield
    assert process.poll() is None, "nobody has taken a core"
    process.kill()
    process.wait(10)


_TAKE_A_CORE = """
import os, sys
while os.getppid() == int(sys.argv[1]):
    sum(range(1_000_000))
"""


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """What a test leaves to chance: the same for the same seed, whatever ran before it."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture
def own_redis(settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """A Redis that may be killed; every process that starts from now on uses it.

    As an indirect parameter: more options for it.
    """
    more = getattr(request, "param", ())
    server = OwnServer(Valkey, tmp_path / "redis", "--enable-debug-command", "local", *more)
    settings.SERVERS = replace(settings.SERVERS, redis_url=server.url)
    shared_redis.cache_clear()
    yield server
    shared_redis.cache_clear()
    server.stop()


@pytest.fixture
def own_mongo(settings: Any, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[OwnServer]:
    """A MongoDB that may be killed; every process that starts from now on uses it.

    As an indirect parameter: more options for it.
    """
    server = OwnServer(Mongo, tmp_path / "mongo", *getattr(request, "param", ()))
    settings.SERVERS = replace(settings.SERVERS, mongo_url=server.url)
    _forget_mongo_client()
    yield server
    _forget_mongo_client()
    server.stop()


def _forget_mongo_client() -> None:
    """The next client is a new one. One that nobody closes complains when it is collected."""
    connections._mongo_client().close()
    connections._mongo_client.cache_clear()


@pytest.fixture
def network(settings: Any, request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """How the processes of the cluster reach their servers, in their environment.

    As an indirect parameter: "TLS", to Redis.
    """
    if getattr(request, "param", "plain") == "plain":
        yield {}
        return
    with Proxy.to(settings.SERVERS.redis_url, encrypted=True) as proxy:
        yield {"REDIS_URL": proxy.url}


@pytest.fixture
def cluster(
    transactional_db: None,
    settings: Any,
    relay_keys: Any,
    archive: Any,
    wait_until: Wait,
    tmp_path: Path,
    network: dict[str, str],
) -> Iterator[Cluster]:
    """No process runs yet."""
    settings.RELAY_LEASE_TTL_SECONDS = 1.0  # As the cluster has it, since the test reads leases as well.
    cluster = Cluster(settings, relay_keys, wait_until, tmp_path / "processes.log", **network)
    yield cluster
    cluster.end()
    print((tmp_path / "processes.log").read_text(errors="replace")[-20_000:])


@pytest.fixture
def token(transactional_db: None, django_user_model: Any) -> str:
    """Of somebody who may do everything."""
    operator = django_user_model.objects.create_superuser("operator")
    return tokens.make("tests", operator, Token.Scope.MANAGE)[1]


@pytest.fixture
def pair(cluster: Cluster) -> Cluster:
    """Two listeners and a writer."""
    cluster.start("write")
    cluster.start("listen")
    cluster.start("listen")
    cluster.wait_for(2)
    return cluster


@pytest.fixture
def settled(cluster: Cluster, wait_until: Wait, request: pytest.FixtureRequest) -> Settle:
    """What the checker says, once everything that was heard is stored.

    `scored`: in the score. Not where the policy keeps something from being stored.
    """

    def settle(*publishers: Publisher, seconds: float = 30, scored: bool = True) -> Verdict:
        for channel in dict.fromkeys(publisher.channel for publisher in publishers):
            publish_last(cluster.redis, channel, mongo_collection("messages"), wait_until, seconds)
        wait_until(lambda: is_drained(cluster.redis), seconds=seconds, what="everything stored")
        # What was missed is on record before it is confirmed that all else stands: a moment after the first
        # message of whoever took over was stored.
        deadline = time.monotonic() + _RECORDED_SECONDS
        while (verdict := reduce(operator.add, map(verdict_on, publishers))).unrecorded:
            if time.monotonic() > deadline:
                break
            time.sleep(0.2)
        if scored and "control" not in request.node.name:
            request.node.user_properties.append(("verdict", counts(verdict)))
        return verdict

    return settle


def verdict_on(publisher: Publisher) -> Verdict:
    """What is stored of the channel to which this one has published, of the texts that are its own."""
    rows = mongo_collection("messages").find({"channel": publisher.channel}, {"message": 1}).sort("position")
    gaps = [
        (gap.began_at.timestamp(), gap.ended_at.timestamp() if gap.ended_at else float("inf"))
        for gap in Gap.objects.filter(covered=False, channel__in=["", publisher.channel])
    ]

    def is_recorded(text: str) -> bool:
        at = publisher.times[text]
        return any(began - _CLOCK_SECONDS <= at <= ended + _CLOCK_SECONDS for began, ended in gaps)

    texts = (row["message"] for row in rows if not row["message"].startswith(LAST))
    accepted, attempted, stored = (
        filter(publisher.owns, found) for found in (publisher.accepted, publisher.attempted, texts)
    )
    return judge(accepted, attempted, stored, is_recorded)


def is_drained(redis: Any) -> bool:
    """Whether the group has read and acknowledged all of the stream."""
    try:
        found = redis.xinfo_groups(keys.stream(0))
    except redis_driver.ResponseError:
        return False
    groups = [group for group in found if group["name"] == keys.GROUP.encode()]
    if not groups or groups[0]["pending"]:
        return False
    last = redis.xrevrange(keys.stream(0), count=1)
    return not last or groups[0]["last-delivered-id"] == last[0][0]


# --- the score ---------------------------------------------------------------------------


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Which faults were survived, and what else the test has noted of itself."""
    for name, value in report.user_properties:
        if name == "fault" and (report.when == "call" or report.failed):
            _score.judge(value, passed=report.passed)
        elif name == "verdict" and report.when == "call":
            _score.add(value)
        elif name == "took over" and report.when == "call":
            _score.took_over(value)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """The number of its fault goes with the report of a test."""
    for mark in item.iter_markers("fault"):
        item.user_properties.append(("fault", mark.args[0]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """One line that a program can read. `CHAOS_RESULTS`: a directory in which it is kept."""
    if not _score.faults:
        return
    if config.getoption("numprocesses", None):
        _score.load = "another fault" if not LOADED else f"{_score.load} and another fault"
    terminalreporter.write_line(str(_score))
    if directory := os.environ.get("CHAOS_RESULTS"):
        path = keep(_score, time.monotonic() - _began_at, Path(directory))
        terminalreporter.write_line(f"kept in {path}")


@pytest.fixture
def took_over(request: pytest.FixtureRequest) -> Callable[[float], None]:
    """Notes how many seconds a take-over took."""
    return lambda seconds: request.node.user_properties.append(("took over", seconds))
