"""A web process stands still while it has a subscription locked: the others go on, and so does it, later."""

import contextlib
import random
import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
from django.conf import settings as django_settings
from django.db import transaction

from subscribers_app.models import Subscription
from subscribers_app.pulling.ledger import IDLE_MS
from tests.integration.conftest import environment_of_a_web_process
from tests.integration.publishing.killed_web import Web
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Caller, Record, Threads, Work
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

BOUND_SECONDS: Final = IDLE_MS / 1000 + 3
"""PostgreSQL ends a transaction that stands still; then somebody has to ask once more."""


@pytest.fixture(params=["careful"])
def freezable(request: Any, messages_database: str) -> Iterator[Web]:
    """A web process whose transactions take their time. Others: see `careless_web`."""
    program = "tests.integration.pulling.careless_web", request.param
    with Proxy.to(environment_of_a_web_process()["DATABASE_URL"]) as proxy, proxy.latency(0.002):
        web = Web(django_settings.SERVERS.redis_url, program, DATABASE_URL=proxy.url)
        try:
            yield web
        finally:
            web.stop()


def is_locked(reader: str) -> bool:
    with transaction.atomic():
        found = Subscription.objects.select_for_update(skip_locked=True, no_key=True).filter(name=reader)
        return not list(found)


@contextlib.contextmanager
def frozen_with_lock(web: Web, reader: str) -> Iterator[None]:
    """It stands still while it has this subscription locked."""
    for _ in range(300):
        with web.frozen():
            time.sleep(0.05)  # What it has sent by now is done.
            if is_locked(reader):
                yield
                return
        time.sleep(random.random() / 50)
    raise AssertionError("it never had the subscription locked")


@contextlib.contextmanager
def working(web: Web, client: Client, reader: str, mode: str, record: Record) -> Iterator[None]:
    """Programs consume by this web process."""
    callers = [Caller(web.url, client.key) for _ in range(8)]
    with Threads([Work(caller, reader, mode, record, most=3).run for caller in callers]):
        yield


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_the_others_go_on(
    freezable: Web, client: Client, channel: str, subscribe: Subscribe, wait_until: Any, mode: str
) -> None:
    locked, other = subscribe(mode), subscribe(mode)
    texts = set(map(str, range(600)))
    client.publish(channel, *texts)
    record = Record()
    taken: set[str] = set()
    caller = Caller(client.url, client.key)
    with working(freezable, client, locked, mode, record):
        wait_until(lambda: len(record.answers) > 20)
        with frozen_with_lock(freezable, locked):
            began = time.monotonic()
            for _ in range(5):
                asked = time.monotonic()
                assert client.texts(other, max=1)
                assert time.monotonic() - asked < 1.5
            answers = []
            while not answers or answers[-1].status != 200:
                answers.append(caller.post(f"{locked}/fetch", {"max": 1}))
                assert time.monotonic() - began < BOUND_SECONDS
            assert time.monotonic() - began > 3, "it was not locked"
            assert {answer.status for answer in answers} <= {200, 503}
            taken = {one["message"] for one in answers[-1].data["messages"]}
        # What it had begun is done once more, or refused. Nobody has what somebody else has. What was
        # committed and could not be answered comes again after its deadline, which is 30 s.
        wait_until(lambda: texts <= record.texts() | taken, seconds=60, what="all is received")
    caller.close()
    assert record.statuses() <= {200, 409, 503}
    assert not record.came_again()
    assert not record.doubled()
    assert not record.went_back()


@pytest.mark.parametrize("freezable", ["patient"], indirect=True)
def test_one_that_may_stand_still_with_a_lock_is_found_out(
    freezable: Web, client: Client, channel: str, subscribe: Subscribe, wait_until: Any
) -> None:
    reader, record = subscribe("lease"), Record()
    client.publish(channel, *map(str, range(300)))
    caller = Caller(client.url, client.key)
    with working(freezable, client, reader, "lease", record):
        wait_until(lambda: len(record.answers) > 20)
        with frozen_with_lock(freezable, reader):
            until = time.monotonic() + BOUND_SECONDS
            statuses = set()
            while time.monotonic() < until:
                statuses.add(caller.post(f"{reader}/fetch", {"max": 1}).status)
    caller.close()
    assert statuses == {503}
