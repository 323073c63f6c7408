"""Starting and stopping the whole, and servers that are away for long."""

import contextlib
import json
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from relaystack.servers.mongo import Mongo
from tests.acceptance.stack import Stack, publish_steadily

Wait = Callable[..., None]


def test_comes_up_stops_cleanly_and_survives_the_death_of_everything(room: Path, wait_until: Wait) -> None:
    stack = Stack(room / "own")
    stack.start()
    file = stack.data / "stack.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    described = json.loads(file.read_text())
    assert described.keys() == {
        *("web", "token", "user", "password"),
        *("redis_url", "database_url", "mongo_url", "pids"),
    }
    stack.listen_to("kept")
    stack.redis.publish("kept", "one")
    wait_until(lambda: stack.texts("kept") == ["one"])

    family = stack.family()
    assert stack.stop() < 20
    assert not [process for process in family if process.is_running()]

    # The listed channels are heard again without an operator.
    assert stack.start() < 15 * slowness()
    wait_until(lambda: stack.is_active("kept"), seconds=15)
    stack.redis.publish("kept", "two")
    wait_until(lambda: stack.texts("kept") == ["one", "two"])

    family = stack.family()
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):  # Its parent has replaced it meanwhile.
            process.kill()
    psutil.wait_procs(family, timeout=10)
    stack.let_go()
    stack.start()
    wait_until(lambda: stack.is_active("kept"), seconds=15)
    assert stack.texts("kept") == ["one", "two"]
    stack.stop()


def slowness() -> float:
    """The figure is for a machine that does nothing else: a loaded one is given more time."""
    return max(1.0, psutil.getloadavg()[0] / (psutil.cpu_count() or 1))


def test_mongodb_killed_for_twenty_seconds_loses_nothing(room: Path, wait_until: Wait) -> None:
    mongo = Mongo(room / "mongo-apart", room / "mongo-apart.log")
    mongo.start()
    mongo.wait_until_ready()
    # A server that is given is used, and none is started for it.
    stack = Stack(room / "apart", MONGO_URL=mongo.url)
    stack.start()
    try:
        assert "mongo" not in stack.pids
        stack.listen_to("traffic", deduplicate="every")
        done = threading.Event()
        heard: list[str] = []
        publisher = threading.Thread(
            target=lambda: heard.extend(publish_steadily(stack, "traffic", done.is_set))
        )
        publisher.start()
        time.sleep(2)
        stored = len(stack.texts("traffic"))
        assert stored > 0
        writer = stack.lease("writer")
        assert mongo.process is not None
        psutil.Process(mongo.process.pid).kill()
        mongo.stop()
        time.sleep(20)
        assert stack.redis.xlen("orchestrator_channel:{0}") > 100, "the stream does not wait"
        again = Mongo(room / "mongo-apart", room / "mongo-apart.log", port=mongo.port)
        again.start()
        again.wait_until_ready()
        time.sleep(2)
        done.set()
        publisher.join()
        wait_until(lambda: len(stack.texts("traffic")) >= len(heard), seconds=30, what="all stored")
        assert stack.texts("traffic") == heard
        assert stack.lease("writer")[0] >= writer[0]
        again.stop()
    finally:
        stack.stop()
