"""A broker that refuses a worker for a time ends no loop, and keeps no worker from its tasks afterwards."""

import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from leases_app.models import Lease
from tests.chaos.servers import OwnServer

from .conftest import Worker

pytestmark = pytest.mark.timeout(400)

Start = Callable[..., Worker]

REFUSED_SECONDS = 12.0
SEEN_SECONDS = 10.0
"""Within so long a lease is renewed, on a machine that others need as well."""

REPLACED_SECONDS = 60.0
"""With the longest pause of Celery between two attempts."""

UNANSWERED = 3
"""So often in a row a worker has not answered before deploy/healthy.sh ends it."""

ALL = ("on", ">secret", "~*", "&*", "+@all")


class Broker:
    """A Redis with a user of its own for the worker."""

    def __init__(self, server: OwnServer) -> None:
        self.operator: Any = server.redis()
        self.url = (
            urlsplit(server.url)._replace(netloc=f"worker:secret@{urlsplit(server.url).netloc}").geturl()
        )
        self.set_user(*ALL)

    def set_user(self, *rules: str) -> None:
        self.operator.execute_command("ACL", "SETUSER", "worker", "reset", *rules)

    def delete_user(self) -> None:
        self.operator.execute_command("ACL", "DELUSER", "worker")

    def change_password(self) -> None:
        self.set_user("on", ">another", *ALL[2:])
        for kind in ("normal", "pubsub"):
            self.operator.client_kill_filter(_type=kind, skipme=True)

    def fill(self) -> None:
        self.operator.config_set("maxmemory", 1)

    def grant(self) -> None:
        self.set_user(*ALL)
        self.operator.config_set("maxmemory", 0)


REFUSALS: dict[str, Callable[[Broker], None]] = {
    "another password": Broker.change_password,
    "no user": Broker.delete_user,
    "no rights": lambda broker: broker.set_user("on", ">secret"),
    "no keys": lambda broker: broker.set_user("on", ">secret", "&*", "+@all"),
    "no BRPOP": lambda broker: broker.set_user(*ALL, "-brpop"),
    "no channels": lambda broker: broker.set_user("on", ">secret", "~*", "+@all"),
    "no memory": Broker.fill,
}


@pytest.fixture
def guarded(broker: OwnServer) -> Iterator[Broker]:
    guarded = Broker(broker)
    yield guarded
    guarded.operator.close()


def is_silent(worker: Worker, broker: str) -> bool:
    """Whether deploy/healthy.sh would end the worker: one that is busy may miss its second once."""
    script = (Path(__file__).parents[3] / "deploy/healthy.sh").read_text()
    (counted,) = re.findall(r'^\t\*"(.+)"\*\) ;;$', script, re.MULTILINE)
    assert f"-ge {UNANSWERED} ]" in script
    return all(counted in worker.control("--broker", broker, "inspect", "ping") for _ in range(UNANSWERED))


def test_a_worker_that_hangs_is_silent(start_worker: Start, guarded: Broker) -> None:
    worker = start_worker(CELERY_BROKER_URL=guarded.url)
    worker.wait_for_loops()
    assert not is_silent(worker, guarded.url)
    worker.process.send_signal(signal.SIGSTOP)
    try:
        assert is_silent(worker, guarded.url)
    finally:
        worker.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_loops_go_on_and_tasks_are_taken_again(
    start_worker: Start, guarded: Broker, wait_until: Any, refusal: str
) -> None:
    worker = start_worker(CELERY_BROKER_URL=guarded.url)
    loops, terms = worker.wait_for_loops(), worker.terms()
    REFUSALS[refusal](guarded)
    assert not is_silent(worker, guarded.url)
    until = time.monotonic() + REFUSED_SECONDS
    while time.monotonic() < until:
        assert worker.process.poll() is None
        assert worker.wait_for_loops(seconds=SEEN_SECONDS) == loops, "a loop has ended"
        assert worker.terms() <= terms, "a loop has ended, and was replaced"
        time.sleep(0.2)
    guarded.grant()

    writer = Lease.objects.get(role=Lease.Role.WRITER).pid
    os.kill(writer, signal.SIGKILL)
    until = time.monotonic() + REPLACED_SECONDS
    while not worker.loops() - loops:
        assert time.monotonic() < until, "the worker takes no task"
        worker.propose()
        time.sleep(1)
    assert worker.wait_for_loops(writer) > loops - {writer}
