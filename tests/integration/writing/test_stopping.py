"""A writer stops soon, whatever MongoDB and Redis do."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pymongo
import pytest

from leases_app.models import Lease
from messages_app.writing import writer
from tests.loops import Loop

from .world import Failpoint, Wait, World, running

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


@pytest.fixture
def hanging_mongod(settings: Any) -> Iterator[Any]:
    """Calling it stops mongod in its tracks: connections stay open, and nothing is answered."""
    with pymongo.MongoClient[dict[str, Any]](settings.SERVERS.mongo_url) as client:
        pid = client.admin.command("serverStatus", repl=0, metrics=0, locks=0)["pid"]
    yield lambda: os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)


def test_an_idle_writer_stops_at_once(world: World, wait_until: Wait) -> None:
    with running() as run:
        world.append("hello")
        wait_until(world.is_settled)
        assert run.stop() < 1


def test_a_writer_finishes_an_insert_that_does_not_take_long(world: World, wait_until: Wait) -> None:
    world.append("slow")
    with Failpoint(times=1, blockConnection=True, blockTimeMS=800) as failpoint, running() as run:
        wait_until(lambda: failpoint.entered)
        run.stop()

    assert world.is_settled()
    world.assert_each_stored_once()


def test_a_writer_does_not_try_each_message_while_mongodb_hangs(
    impatient: None, world: World, wait_until: Wait
) -> None:
    """The command was refused for the sake of one document, and then MongoDB does not answer any more."""
    world.append(*(f"text {n}" for n in range(200)), "x" * (17 << 20))
    with Failpoint(after=3, blockConnection=True, blockTimeMS=2000) as failpoint, running() as run:
        wait_until(lambda: failpoint.entered > 1, seconds=20)
        assert run.stop() < 4


def test_a_process_ends_within_ten_seconds_while_mongodb_hangs(
    world: World, wait_until: Wait, settings: Any, hanging_mongod: Any
) -> None:
    databases = settings.DATABASES
    url = urlsplit(settings.SERVERS.database_url)._replace(path=f"/{databases['default']['NAME']}").geturl()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "write"],
        env={**os.environ, "DATABASE_URL": url, "RELAY_MONGO_DATABASE": databases["messages"]["NAME"]},
        stderr=subprocess.DEVNULL,
    )
    try:
        world.append("before")
        wait_until(world.is_settled, seconds=30)
        hanging_mongod()
        world.append("during")
        wait_until(lambda: world.pending() == 1)
        asked_at = time.monotonic()
        process.terminate()
        assert process.wait(15) == 0
        assert time.monotonic() - asked_at < 10
        assert not Lease.objects.live().exists()
    finally:
        process.kill()
        process.wait()


def test_one_that_has_not_begun_stops_too_while_mongodb_hangs(world: World, hanging_mongod: Any) -> None:
    """Before it claims its term it asks MongoDB who has written."""
    world.messages.count_documents({})  # So that there is a connection that hangs.
    hanging_mongod()
    run = Loop(lambda stopping: writer.write(0, stopping))
    time.sleep(1)
    assert run.stop() < 2


def test_one_that_is_asked_before_it_has_begun_blames_nobody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = threading.Event()
    monkeypatch.setattr(writer, "highest_epoch", lambda partition: answer.wait(10) and 0)
    try:
        assert writer.write(0, lambda: True) is True
    finally:
        answer.set()
    assert not Lease.objects.exists()
