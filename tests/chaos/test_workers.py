"""Celery's part: beat dead or doubled, the broker emptied, all workers restarted at once."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from leases_app.models import PROOF_SECONDS
from relaybase import keys
from relaystack.servers.valkey import Valkey
from tests.acceptance.conftest import room as room  # noqa: PLC0414 -- a fixture
from tests.acceptance.stack import ROOT, Stack
from tests.acceptance.test_whole_stack import slowness

from .cluster import Wait
from .publisher import Publisher
from .servers import OwnServer

COVERED_SECONDS = 30
CHANNELS, PARTITIONS = 500, 8
CALM_RATE = 50


@pytest.fixture
def broker(room: Path) -> Iterator[OwnServer]:
    """A Redis for Celery alone, so that it can be emptied."""
    server = OwnServer(Valkey, room / "broker")
    yield server
    server.stop()


@pytest.fixture
def stack(room: Path, broker: OwnServer, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """A whole Relay. As an indirect parameter: more of its environment."""
    stack = Stack(room / tmp_path.name, CELERY_BROKER_URL=broker.url, **getattr(request, "param", {}))
    stack.start()
    yield stack
    stack.stop()


def listeners(stack: Stack) -> int:
    """How many hear the ticks of partition 0."""
    deployment = stack.redis.get(keys.DEPLOYMENT)
    assert isinstance(deployment, bytes)
    return int(stack.redis.pubsub_numsub(keys.tick_channel(deployment.decode(), 0))[0][1])


def least_receivers(stack: Stack, names: list[str]) -> int:
    """How many connections get what is published on the channel that has the fewest."""
    with stack.redis.pipeline(transaction=False) as pipe:
        for name in names:
            pipe.publish(name, f"after {name}")
        return min(pipe.execute())


def most_listeners(stack: Stack, log: Path, sends: int) -> int:
    """The most that there were at any time until the second beat has sent so much."""
    most = 0
    deadline = time.monotonic() + 60 + sends * 5
    while log.read_text().count("Sending due task") < sends:
        assert time.monotonic() < deadline, "the second beat sends nothing"
        most = max(most, listeners(stack))
        time.sleep(0.05)
    return most


@contextmanager
def second_beat(stack: Stack, log: Path) -> Iterator[Path]:
    """Another one, started by mistake; its log."""
    command = [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "relayproject",
        "beat",
        "--loglevel",
        "INFO",
        "--pidfile=",
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=stack.environment | {"DJANGO_SETTINGS_MODULE": "relayproject.settings"},
            stdout=output,
            stderr=output,
        )
    try:
        yield log
    finally:
        process.kill()
        process.wait(10)


def assert_all_stored(stack: Stack, publisher: Publisher, wait_until: Wait) -> None:
    """Everything that was published, once and in order."""
    channel = publisher.channel
    wait_until(lambda: len(stack.texts(channel)) >= len(publisher.accepted), seconds=30, what="stored")
    assert stack.texts(channel) == publisher.accepted


@pytest.mark.fault(13)
@pytest.mark.long
@pytest.mark.timeout(400)
def test_beat_is_dead_when_a_listener_is_killed(stack: Stack, wait_until: Wait) -> None:
    stack.listen_to("orders", deduplicate="every")
    wait_until(lambda: listeners(stack) == 2, seconds=20, what="two listeners")
    beat = psutil.Process(stack.pids["beat"])
    with Publisher(stack.info["redis_url"], "orders", rate=200) as publisher:
        beat.suspend()
        time.sleep(120)
        assert beat.status() == psutil.STATUS_STOPPED
        psutil.Process(stack.lease("listener")[1]).kill()
        wait_until(lambda: listeners(stack) < 2, what="one listener gone")
        time.sleep(5)
        beat.resume()
        wait_until(lambda: listeners(stack) == 2, seconds=COVERED_SECONDS, what="two listeners again")
    assert_all_stored(stack, publisher, wait_until)


@pytest.mark.fault(13)
@pytest.mark.fault(14)
@pytest.mark.long
def test_an_emptied_broker_and_a_second_beat_change_nothing(
    stack: Stack, broker: OwnServer, wait_until: Wait, tmp_path: Path
) -> None:
    stack.listen_to("orders", deduplicate="every")
    wait_until(lambda: listeners(stack) == 2, seconds=20, what="two listeners")
    with Publisher(stack.info["redis_url"], "orders", rate=200) as publisher:
        # Everything that Celery keeps in its broker is gone, and a listener as well.
        with broker.redis() as client:
            assert client.dbsize() > 0, "there was nothing in the broker"
            client.flushall()
        psutil.Process(stack.lease("listener")[1]).kill()
        wait_until(lambda: listeners(stack) < 2, what="one listener gone")
        wait_until(lambda: listeners(stack) == 2, seconds=COVERED_SECONDS, what="two listeners again")
        with second_beat(stack, tmp_path / "beat.log") as log:
            assert most_listeners(stack, log, sends=4) == 2, "extra listeners"
    assert_all_stored(stack, publisher, wait_until)


@pytest.mark.fault(14)
@pytest.mark.long
@pytest.mark.timeout(400)
def test_two_beats_for_two_minutes(stack: Stack, wait_until: Wait, tmp_path: Path) -> None:
    stack.listen_to("orders")
    wait_until(lambda: listeners(stack) == 2, seconds=20, what="two listeners")
    with second_beat(stack, tmp_path / "beat.log") as log:
        # Two tasks every five seconds.
        assert most_listeners(stack, log, sends=48) == 2, "extra listeners"


@pytest.mark.fault(15)
@pytest.mark.parametrize("stack", [{"RELAY_PARTITIONS": str(PARTITIONS)}], indirect=True)
@pytest.mark.timeout(400)
def test_all_workers_restarted_at_once_cover_500_channels_again(stack: Stack, wait_until: Wait) -> None:
    names = [f"channel {number}" for number in range(CHANNELS)]
    for name in names:
        answer = stack.http.post("/api/v1/start-listening", json={"channel": name})
        assert answer.status_code in {201, 202}, answer.text
    wait_until(lambda: heard(stack) == CHANNELS, seconds=60, what="all heard")
    before = {process.pid for process in stack.family()}
    for name in ("listeners", "writers", "senders", "processors", "default"):
        worker = psutil.Process(stack.pids[name])
        for process in [worker, *worker.children(recursive=True)]:
            process.kill()
    killed_at = time.monotonic()
    wait_until(lambda: heard(stack) < CHANNELS, seconds=10, what="not heard")
    wait_until(lambda: heard(stack) == CHANNELS, seconds=COVERED_SECONDS * slowness(), what="all heard again")
    print(f"{CHANNELS} channels covered {time.monotonic() - killed_at:.1f} s after all workers were killed")
    assert before - {process.pid for process in stack.family()}, "nobody was killed"
    # A proof of the last seconds says that it is heard; a connection that is made anew takes a moment.
    wait_until(lambda: least_receivers(stack, names) >= 1, seconds=2 * PROOF_SECONDS, what="all really heard")
    wait_until(lambda: stack.texts(names[-1]) == [f"after {names[-1]}"], seconds=20, what="stored")
    assert all(stack.texts(name) == [f"after {name}"] for name in names[::25])


@pytest.mark.fault(17)
@pytest.mark.parametrize("stack", [{"RELAY_LISTENER_LIFE_SECONDS": "20"}], indirect=True)
@pytest.mark.parametrize(
    "minutes",
    [
        pytest.param(2.0, marks=[pytest.mark.long, pytest.mark.timeout(400)]),
        pytest.param(
            float(os.environ.get("SOAK_MINUTES", "30")),
            marks=[pytest.mark.soak, pytest.mark.timeout(60 * 60 * 24)],
        ),
    ],
    ids=["long", "soak"],
)
def test_a_calm_system_that_hands_over_loses_nothing(stack: Stack, wait_until: Wait, minutes: float) -> None:
    """All three policies and no other fault: what an operator has who leaves it alone."""
    policies: dict[str, Any] = {"every one": "every", "by content": "content", "by field": {"field": "id"}}
    for name, policy in policies.items():
        stack.listen_to(name, deduplicate=policy)
    wait_until(lambda: listeners(stack) == 2, seconds=20, what="two listeners")
    first, url = stack.lease("listener")[0], stack.info["redis_url"]
    texts = [f'{{"id": {number}}}' for number in range(round(minutes * 60 * CALM_RATE))]
    with ExitStack() as publishing:
        publishers = [
            publishing.enter_context(Publisher(url, name, CALM_RATE, texts if name == "by field" else None))
            for name in policies
        ]
        time.sleep(60 * minutes)
    hand_overs = stack.lease("listener")[0] - first
    for publisher in publishers:
        assert_all_stored(stack, publisher, wait_until)
    published = sum(len(publisher.accepted) for publisher in publishers)
    print(
        f"{minutes:g} minutes, {hand_overs} hand-overs: published {published}, all stored once and in order"
    )
    assert hand_overs >= minutes
    with stack.postgres() as connection, connection.cursor() as cursor:
        cursor.execute("select * from gaps")
        assert cursor.fetchall() == []


def heard(stack: Stack) -> int:
    """How many channels are ACTIVE under a leader that lives."""
    with stack.postgres() as connection, connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from channels c join leases l on l.partition = c.partition "
            "where l.role = 'listener' and l.heartbeat_at > clock_timestamp() - interval '3 seconds' "
            "and c.subscription_status = 'ACTIVE'"
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])
