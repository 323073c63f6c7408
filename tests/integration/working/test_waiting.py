"""Proposals wait for a worker: no clock makes them too old, and there are never too many."""

import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import settings

from alerts_app.tasks import process
from channels_app.tasks import listen
from leases_app import partitioning
from messages_app.tasks import write
from relaybase import proposing
from relaybase.connections import shared_redis
from relaybase.queues import PROPOSE, QUEUES
from relayproject import beat
from relayproject.celery import app
from relayproject.processes import ENDLESS
from relayproject.tasks import propose
from webhooks_app.tasks import send

from .conftest import Worker

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def queues(relay_keys: Any) -> Iterator[Callable[[str], list[Any]]]:
    """What waits in a queue: the headers of each task."""
    shared_redis().delete(*QUEUES)
    yield lambda name: [json.loads(one)["headers"] for one in shared_redis().lrange(name, 0, -1)]
    shared_redis().delete(*QUEUES)


@pytest.fixture
def scheduler(transactional_db: None) -> Iterator[Any]:
    made = beat.Scheduler(app=app, lazy=False)
    made._finalize.cancel()  # At exit it would write to a server that is gone by then.
    yield made
    made.close()


def test_a_proposal_has_no_time_to_live(queues: Any, scheduler: Any) -> None:
    proposing.propose()
    scheduler.apply_entry(scheduler.schedule["propose"], scheduler.producer)
    propose()
    waiting = [headers for name in QUEUES for headers in queues(name)]
    assert sorted(headers["task"] for headers in waiting) == [
        "alerts_app.tasks.process",
        *["channels_app.tasks.listen"] * 2,
        "messages_app.tasks.write",
        *[PROPOSE] * 2,
        "webhooks_app.tasks.send",
    ]
    assert {headers["expires"] for headers in waiting} == {None}


@pytest.mark.parametrize(
    ("task", "loop"),
    [
        (listen, "channels_app.tasks.hear"),
        (write, "messages_app.tasks.keep"),
        (send, "webhooks_app.tasks.push"),
        (process, "alerts_app.tasks.run"),
    ],
    ids=["listen", "write", "send", "process"],
)
def test_what_was_proposed_for_a_partition_or_shard_that_is_gone_takes_no_slot(
    relay_keys: Any, monkeypatch: pytest.MonkeyPatch, task: Any, loop: str
) -> None:
    """It would go on for ever, and what was wanted would wait behind it."""
    begun: list[int] = []
    monkeypatch.setattr(loop, lambda partition, *_, **__: begun.append(partition))
    shards = {one.task: one.shards for one in ENDLESS}
    for partition in (getattr(settings, shards[task.name]), 0):
        task.apply((partition,))
    assert begun == [0]


def test_nothing_is_added_to_what_no_worker_takes(
    queues: Any, scheduler: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitioning.require()
    monkeypatch.setattr("relayproject.beat._MOST_WAITING", 10)
    for _ in range(20):
        propose()
        scheduler.apply_entry(scheduler.schedule["propose"], scheduler.producer)
    assert {name: len(queues(name)) for name in QUEUES} == {
        "default": 10,
        "listeners": 2,
        "writers": 1,
        "senders": 1,
        "processors": 1,
    }


def test_a_broker_that_is_away_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    away = app.connection("redis://127.0.0.1:1/0")
    monkeypatch.setattr(proposing, "current_app", SimpleNamespace(pool=away.Pool(1)))
    began = time.monotonic()
    assert not proposing.enough_wait("default", 0)
    assert time.monotonic() - began < 5


def test_a_worker_whose_clock_is_a_day_ahead_takes_them(start_worker: Callable[..., Worker]) -> None:
    worker = start_worker(program=("-m", "tests.integration.working.clock_ahead", "-A", "relayproject"))
    worker.wait_for_loops()
