"""A whole Relay behind PgBouncer, which gives each transaction any of a few connections."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2
import pytest

from tests.acceptance import pgbouncer
from tests.acceptance.stack import Stack

Wait = Callable[..., None]


@pytest.fixture(scope="module")
def pooled(room: Path) -> Iterator[str]:
    """The URL of a PgBouncer before a database that is new."""
    if (program := pgbouncer.installed()) is None:
        pytest.skip("no PgBouncer: apt-get install pgbouncer")
    url = os.environ["DATABASE_URL"]
    connection = psycopg2.connect(url)
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("CREATE DATABASE pooled")
    with pgbouncer.running(program, urlsplit(url)._replace(path="/pooled").geturl(), room / "bouncer") as at:
        yield at
    with connection.cursor() as cursor:
        cursor.execute("DROP DATABASE pooled WITH (FORCE)")
    connection.close()


@pytest.fixture(scope="module")
def stack(pooled: str, room: Path) -> Iterator[Stack]:
    stack = Stack(room / "pooled", DATABASE_URL=pooled)
    stack.start()
    yield stack
    stack.stop()


def test_it_works_as_it_comes(stack: Stack, wait_until: Wait) -> None:
    for number in range(20):
        stack.listen_to(f"orders {number}")
    stack.redis.publish("orders 7", "hello")
    wait_until(lambda: stack.texts("orders 7") == ["hello"])
    wait_until(lambda: stack.http.get("/readyz").status_code == 200, 20, "all is well")
    for name in stack.pids:
        log = (stack.data / "log" / f"{name}.log").read_text()
        assert "Traceback" not in log, log[-3000:]


def test_what_takes_too_long_is_ended(stack: Stack, pooled: str, wait_until: Wait) -> None:
    with stack.postgres() as connection, connection.cursor() as cursor:

        def is_told() -> bool:
            cursor.execute("SHOW statement_timeout")
            return cursor.fetchone() == ("15s",)

        # While all others are in use the pooler opens a new one, on which nobody has said anything yet.
        wait_until(is_told, what="one of Relay's processes has said it on this connection")
