"""PostgreSQL is away, hangs or ends its connections: hearing and storing go on without it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection

from channels_app.models import Channel, Gap
from leases_app.models import Lease
from tests.proxy import Proxy

from .world import Loop, Wait, is_active, is_led, lease, on_stream, publish, start, stored, wake

pytestmark = pytest.mark.django_db(transaction=True)

OTHERS = "from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"


def ask(sql: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return int(cursor.fetchone()[0])


def test_terminated_connections_are_made_again(
    quick: None, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "goes-on", wait_until)
    epoch = lease().epoch
    terminated = 0
    for turn in range(5):
        wait_until(lambda: ask(f"select count(*) {OTHERS}") >= 2, what="lease and roster are connected")
        terminated += ask(f"select count(pg_terminate_backend(pid)) {OTHERS}")
        publish(relay_keys, "goes-on", [f"text {turn}"])
        wait_until(lambda turn=turn: f"text {turn}" in on_stream(relay_keys), seconds=1)
    assert terminated >= 10
    assert on_stream(relay_keys) == [f"text {turn}" for turn in range(5)]
    start(relay_keys, "new", wait_until)
    assert is_led()
    assert lease().epoch == epoch
    assert is_active("goes-on")


@contextlib.contextmanager
def hangs(proxy: Proxy) -> Iterator[None]:
    with proxy.hole():
        yield


@contextlib.contextmanager
def is_away(proxy: Proxy) -> Iterator[None]:
    with proxy.refusing():
        assert proxy.reset_all() >= 2
        yield


@pytest.mark.parametrize("fault", [hangs, is_away])
def test_messages_are_heard_and_stored_meanwhile_and_statuses_written_afterwards(
    fault: Any,
    quick: None,
    redis_proxy: Proxy,
    postgres_proxy: Proxy,
    listening: Loop,
    writing: Loop,
    relay_keys: Any,
    archive: Any,
    wait_until: Wait,
) -> None:
    start(relay_keys, "kept", wait_until)
    epochs = lease().epoch, lease(Lease.Role.WRITER).epoch
    with fault(postgres_proxy):
        publish(relay_keys, "kept", ["at once"])
        Channel.objects.create(channel="late")
        wake(relay_keys, "late")
        wait_until(lambda: not is_led(), what="unconfirmed for longer than the time to live")
        publish(relay_keys, "kept", [f"text {number}" for number in range(100)])
        wait_until(lambda: len(stored(archive, "kept")) == 101)
        assert not is_active("late")
    wait_until(lambda: is_active("kept") and is_active("late"), what="both ACTIVE")
    publish(relay_keys, "late", ["heard"])
    wait_until(lambda: stored(archive, "late") == ["heard"])
    assert stored(archive, "kept") == ["at once"] + [f"text {number}" for number in range(100)]
    assert (lease().epoch, lease(Lease.Role.WRITER).epoch) == epochs, "somebody had to take over"


def test_what_could_not_be_said_of_a_deaf_listener_is_said_afterwards(
    quick: None, redis_proxy: Proxy, postgres_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "both", wait_until)
    with redis_proxy.hole():
        with is_away(postgres_proxy):
            wait_until(lambda: not is_led())
            threading.Event().wait(2.5)  # The listener finds out that it hears nothing, and cannot say so.
            assert not Gap.objects.exists()
        wait_until(lambda: is_led() and not is_active("both") and Gap.objects.filter(ended_at=None).exists())


def test_a_listener_stops_while_postgresql_hangs_and_its_lease_lapses(
    quick: None, postgres_proxy: Proxy, listening: Loop, relay_keys: Any, wait_until: Wait
) -> None:
    start(relay_keys, "parting", wait_until)
    with hangs(postgres_proxy):
        wait_until(lambda: not is_led())
        publish(relay_keys, "parting", [f"text {number}" for number in range(100)])
        assert listening.stop() < 10
        assert on_stream(relay_keys) == [f"text {number}" for number in range(100)]
        assert lease().holder, "released, though PostgreSQL hung"
    wait_until(lambda: not {thread.name for thread in threading.enumerate()} & {"heartbeat", "roster"})
    assert not is_led()
