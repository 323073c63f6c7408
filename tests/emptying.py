"""Empties PostgreSQL after a test that has committed, in a tenth of the time that Django takes for it.

Django truncates every table, which makes new files of each and of each of its indexes, and then makes all
content types and permissions again. Here only what has rows is emptied, and content types and permissions
stay if they are what they were; else Django does it. As with TRUNCATE, whoever is still in a transaction is
waited for, and triggers fire: a web process that runs on is told that channels and rights have changed.
"""

import time
from collections.abc import Callable
from typing import Any, Final

from django.db import DEFAULT_DB_ALIAS, connection, transaction

from leases_app import deployment
from leases_app.models import Deployment

OWN: Final = "0" * 31 + "1"
"""The identity of the deployment of all tests."""

LATE_SECONDS: Final = 30.0
"""So long a thread that a test has left behind may still be busy, where others want the cores."""

KEPT: Final = ("django_content_type", "auth_permission")

Rows = list[tuple[Any, ...]]
Empty = Callable[[Any], None]
"""A method of Django's `TransactionTestCase`, which has types for none that is its own."""


def kept() -> list[Rows]:
    """What is in the tables that stay."""
    with connection.cursor() as cursor:
        found = list[Rows]()
        for table in KEPT:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            found.append(cursor.fetchall())
        return found


def quickly(slowly: Empty, made: list[Rows]) -> Empty:
    """What Django is to call instead of its own.

    slowly: its own
    made:   what it makes, as `kept` says it
    """

    def empty(case: Any) -> None:
        if case._databases_names(include_mirrors=False) == [DEFAULT_DB_ALIAS] and kept() == made:
            delete_all()
            make_deployment()
        else:
            slowly(case)
            made[:] = kept()  # With other ids.

    return empty


@transaction.atomic
def delete_all() -> None:
    """Every row of every table of a model, but for those that stay. Foreign keys are looked at in the end."""
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    names = [connection.ops.quote_name(table) for table in tables if table not in KEPT]
    with connection.cursor() as cursor:
        cursor.execute(f"LOCK TABLE {', '.join(names)}")
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{name}' WHERE EXISTS (SELECT FROM {name})" for name in names)
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {name}")


def make_deployment() -> None:
    """After a test that emptied the tables it is the same one: what stands beside the stream may stay."""
    Deployment.objects.get_or_create(defaults={"identity": OWN, "secret": deployment.fingerprint(OWN)})


def wait_until_alone(seconds: float = LATE_SECONDS) -> None:
    """Until nobody else is connected to the database: it is about to be dropped, which they would prevent.

    A look that was given up goes on in its thread, and closes its connection in the end.

    Raises:
        AssertionError: somebody stays. It says what he has asked last.
    """
    deadline = time.monotonic() + seconds
    while others := _others():
        assert time.monotonic() < deadline, f"connections that nobody closes: {others}"
        time.sleep(0.05)


def _others() -> list[tuple[str, str]]:
    """What the others do, and their last statements."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(state, ''), left(query, 300) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return list(cursor.fetchall())
