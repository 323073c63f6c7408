"""What the tests of leases share: threads and connections of their own, and leases that lapse at a word."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Value

from leases_app.models import ClockTimestamp, Lease, Seconds

InThread = Callable[[Callable[[], Any]], "Future[Any]"]


@pytest.fixture
def in_thread() -> Iterator[InThread]:
    """Do something in a thread with a connection of its own; a future of what comes of it."""
    threads: list[threading.Thread] = []

    def start(work: Callable[[], Any]) -> "Future[Any]":
        future: Future[Any] = Future()

        def run() -> None:
            try:
                future.set_result(work())
            except BaseException as exc:
                future.set_exception(exc)
            finally:
                connection.close()

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return future

    yield start
    for thread in threads:
        thread.join(20)
        assert not thread.is_alive()


@pytest.fixture
def elsewhere(db: None) -> Iterator[BaseDatabaseWrapper]:
    """Another connection to the database, which somebody else might have."""
    other = connection.copy()
    yield other
    other.close()


@pytest.fixture
def somebody_waits() -> Callable[[], bool]:
    """Whether a statement waits for a lock."""

    def look() -> bool:
        with connection.cursor() as cursor:
            # Not pg_stat_activity: within a transaction it always shows what it showed first.
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            return bool(cursor.fetchone()[0])

    return look


@pytest.fixture
def lapse() -> Callable[[], None]:
    """Let every lease lapse: its holder has been silent for a minute."""

    def set_back() -> None:
        Lease.objects.exclude(heartbeat_at=None).update(heartbeat_at=ClockTimestamp() - Seconds(Value(60)))

    return set_back
