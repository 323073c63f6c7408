"""A web process is killed in the middle of its transactions, and another one hands out meanwhile.

What was answered holds: what was acknowledged never comes again, what was committed does not come back.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.conf import settings as django_settings

from relaycore.delivering.beginning import parse
from subscribers_app.models import Delivery
from subscribers_app.seeking import seek
from tests.integration.conftest import environment_of_a_web_process
from tests.integration.publishing.killed_web import Web
from tests.integration.pulling.conftest import Client
from tests.integration.pulling.traffic import Caller, Record, Threads, Work
from tests.proxy import Proxy

pytestmark = pytest.mark.django_db(transaction=True)

Subscribe = Callable[..., str]

CLIENTS = 16
TIMES = 5
SOUGHT = 2
MESSAGES = 1000


@contextmanager
def killable(manner: str = "careful") -> Iterator[Web]:
    """A web process that is there again at once when it was killed; `manner`: see `careless_web`."""
    program = "tests.integration.pulling.careless_web", manner
    with Proxy.to(environment_of_a_web_process()["DATABASE_URL"]) as proxy, proxy.latency(0.002):
        # A transaction takes its time, so it is in the middle of one that the process is killed.
        web = Web(django_settings.SERVERS.redis_url, program, DATABASE_URL=proxy.url)
        try:
            yield web
        finally:
            web.stop()


def traffic(killed: Web, client: Client, channel: str, reader: str, mode: str, wait_until: Any) -> Record:
    """Half of the clients ask the one that is killed, the others another one. Until all is consumed."""
    for at in range(0, MESSAGES, 500):
        client.publish(channel, *map(str, range(at, at + 500)))
    record = Record()
    callers = [Caller(killed.url if index % 2 else client.url, client.key) for index in range(CLIENTS)]
    of_the_killed = callers[1::2]

    def answered() -> int:
        return sum(caller.answers for caller in of_the_killed)

    def is_over() -> bool:
        return len(record.texts()) == MESSAGES and (mode == "cursor" or not Delivery.objects.exists())

    kills = 0
    # Those of the other one take their time, so that there is enough to do for the one that is killed.
    works = [
        Work(caller, reader, mode, record, most=3, seconds=0.0 if caller in of_the_killed else 0.5)
        for caller in callers
    ]
    with Threads([work.run for work in works]):
        while kills < TIMES and len(record.texts()) < MESSAGES:
            before = answered()
            wait_until(lambda before=before: answered() > before + 5 or is_over(), seconds=30)
            time.sleep(0.007 * kills)
            killed.kill()
            kills += 1
        for work in works:
            work.most, work.seconds = 50, 0.0
        wait_until(is_over, seconds=30, what="all is done")
    assert kills >= 4
    return record


@pytest.mark.parametrize("mode", ["cursor", "lease"])
def test_what_was_answered_holds(
    client: Client, channel: str, subscribe: Subscribe, messages_database: str, wait_until: Any, mode: str
) -> None:
    reader = subscribe(mode, **({"ack_deadline_seconds": 1} if mode == "lease" else {}))
    with killable() as killed:
        record = traffic(killed, client, channel, reader, mode, wait_until)

    assert record.statuses() <= {200, 409, 503}
    if mode == "lease":
        assert not record.came_again()
        assert not record.doubled()
        assert [one for one in record.receipts if one.attempt > 1], "nobody was killed with anything"
    else:
        assert not record.went_back()
        assert len(record.committed) > 50


def test_a_web_that_answers_before_it_has_committed_is_found_out(
    client: Client, channel: str, subscribe: Subscribe, messages_database: str, wait_until: Any
) -> None:
    reader = subscribe("lease", ack_deadline_seconds=1)
    with killable("hasty") as killed:
        record = traffic(killed, client, channel, reader, "lease", wait_until)
    assert record.came_again() or record.doubled()


@pytest.mark.parametrize("manner", ["careful", "forgetful"])
def test_a_seek_in_the_middle_of_traffic(
    client: Client, channel: str, subscribe: Subscribe, messages_database: str, wait_until: Any, manner: str
) -> None:
    """What was leased before it, and is acknowledged after it, comes again all the same."""
    reader = subscribe("lease", ack_deadline_seconds=10)
    client.publish(channel, *map(str, range(40)))
    record, sought = Record(), list[float]()
    with killable(manner) as web:
        # Half of them have all of it, the others wait for something.
        callers = [Caller(web.url, client.key) for _ in range(16)]
        slow = [Work(caller, reader, "lease", record, most=5, seconds=1.5) for caller in callers]
        with Threads([work.run for work in slow]):
            for generation in range(1, 1 + SOUGHT):
                wait_until(lambda generation=generation: len(record.receipts) >= 40 * generation, seconds=20)
                seek(reader, parse("earliest"))
                sought.append(time.time())
            wait_until(lambda: not Delivery.objects.exists() and time.time() > sought[-1] + 2.5, seconds=30)

    given = {one.text for one in record.receipts if one.generation == 1 + SOUGHT}
    late = [
        is_ok
        for asked, generation, is_ok in record.acks
        if generation <= SOUGHT and asked > sought[generation - 1]
    ]
    assert late, "nothing was on its way when somebody sought"
    if manner == "careful":
        assert given == set(map(str, range(40)))
        assert not any(late)
    else:
        assert any(late)


@pytest.mark.parametrize("manner", ["careful", "forgetful"])
def test_a_commit_from_before_a_seek(
    client: Client, channel: str, subscribe: Subscribe, messages_database: str, manner: str
) -> None:
    reader = subscribe("cursor")
    client.publish(channel, *map(str, range(10)))
    with killable(manner) as web:
        program = Client(web.url, client.key)
        before = program.fetch(reader)
        seek(reader, parse("earliest"))
        assert len(program.texts(reader)) == 10
        said = {name: before[name] for name in ("position", "generation")}
        program.post(f"subscriptions/{reader}/commit", said, 409 if manner == "careful" else 200)
        assert len(program.texts(reader)) == (10 if manner == "careful" else 0)
