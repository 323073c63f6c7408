"""What tests of every kind share."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, connections
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase

from relaybase import journal, watching
from relaybase.connections import _mongo_client, mongo_collection, shared_redis
from tests import emptying

InThread = Callable[[Callable[[], Any]], "Future[Any]"]

LEAST_REST_SECONDS, MOST_REST_SECONDS = 0.01, 0.25
"""Between two looks at a condition."""


def _make_deployment(using: str, **_: object) -> None:
    if using == "default":
        emptying.make_deployment()


# Django sends it when the database is made, and whenever it has emptied it itself.
post_migrate.connect(_make_deployment, sender=apps.get_app_config("leases_app"))


@pytest.fixture
def wait_until() -> Callable[..., None]:
    """Wait for a condition instead of sleeping: `wait_until(lambda: x.is_done, seconds=5)`.

    Looking takes a quarter of the time, not more: who asks a process again and again takes from another
    one the core with which it would start.
    """

    def wait(condition: Callable[[], object], seconds: float = 10.0, what: str = "") -> None:
        began = time.monotonic()
        deadline = began + seconds
        while not condition():
            now = time.monotonic()
            assert now < deadline, f"not within {seconds} s: {what or condition}"
            time.sleep(min(max(LEAST_REST_SECONDS, 3 * (now - began)), MOST_REST_SECONDS))
            began = time.monotonic()

    return wait


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
def relay_keys() -> Iterator[Any]:
    """Redis, with none of Relay's keys before and after."""
    _forget_keys()
    yield shared_redis()
    _forget_keys()


def _forget_keys() -> None:
    if found := list(shared_redis().scan_iter("orchestrator_channel*")):
        shared_redis().delete(*found)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """PostgreSQL's test database, which is emptied quickly. There is none if no test asks for it."""
    if not connection.settings_dict["NAME"].startswith("test_"):
        yield
        return
    with django_db_blocker.unblock():
        made = emptying.kept()
    with pytest.MonkeyPatch.context() as patch:
        case: Any = TransactionTestCase
        patch.setattr(case, "_fixture_teardown", emptying.quickly(case._fixture_teardown, made))
        yield
    with django_db_blocker.unblock():
        emptying.wait_until_alone()


@pytest.fixture(scope="session")
def messages_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """MongoDB's test database.

    pytest-django makes it for tests whose mark names it, and then flushes both databases
    after each of them. So tests do not name it, and clean up by themselves.
    """
    connection = connections["messages"]
    name = connection.settings_dict["NAME"]
    if name.startswith("test_"):
        yield name
        return
    with django_db_blocker.unblock():
        yield connection.creation.create_test_db(verbosity=0, autoclobber=True)
        connection.creation.destroy_test_db(name, verbosity=0)


@pytest.fixture
def archive(messages_database: str) -> Iterator[Any]:
    """The collection of messages, empty before and after, as is what writers keep beside it."""
    messages, *beside = (mongo_collection(name) for name in ("messages", "partitions", "expired"))
    for collection in (messages, *beside):
        collection.delete_many({})
    yield messages
    for collection in (messages, *beside):
        collection.delete_many({})


@pytest.fixture(autouse=True)
def _mongo_is_looked_at_anew() -> None:
    """Not what the test before has done to it."""
    watching._shared_mongo.cache_clear()


@pytest.fixture(autouse=True)
def _the_journal_is_not_kept_in_redis() -> None:
    """A line comes there up to a second late, and would lie in the Redis of a later test.

    Before each one: whoever configures the log puts the handler there again.
    """
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, journal.Handler)]:
        root.removeHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def _no_client_is_left_open() -> Iterator[None]:
    """One that nobody closes complains when it is collected."""
    yield
    if _mongo_client.cache_info().currsize:
        _mongo_client().close()
