"""What the tests of leases share: other connections, and leases that lapse at a word."""

from collections.abc import Callable, Iterator

import pytest
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Value

from leases_app.models import Lease
from relaybase.postgres.clock import ClockTimestamp, Seconds


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
