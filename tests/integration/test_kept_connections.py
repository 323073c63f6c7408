"""A web process keeps its connections to PostgreSQL from one request to the next."""

import urllib.request
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection, connections

from relaybase.postgres.base import DatabaseWrapper

pytestmark = pytest.mark.django_db


def _others() -> set[int]:
    """The processes that PostgreSQL has for others than this test."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # Within a transaction all looks are one.
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        return {pid for (pid,) in cursor.fetchall()}


@pytest.fixture(scope="module")
def ask(serve: Callable[..., str]) -> Callable[[], int]:
    """Has a web process ask PostgreSQL something; the status of its answer."""
    url = serve() + "/admin/login/?next=/admin/"
    headers = {"Cookie": "sessionid=0123456789"}

    def get() -> int:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers)) as answer:
            return int(answer.status)

    return get


@pytest.fixture
def wrapper() -> Iterator[Any]:
    """A connection of its own, as a request has one."""
    made = connections["default"].copy()
    yield made
    made.close()


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[deque[Any]]:
    """The connections that are kept; two at most."""
    found: deque[Any] = deque()
    monkeypatch.setattr(DatabaseWrapper, "kept", found)
    monkeypatch.setattr(DatabaseWrapper, "most_kept", 2)
    yield found
    for one in found:
        one.close()


def test_later_requests_take_the_connections_of_those_before(ask: Callable[[], int]) -> None:
    assert ask() == 200
    first = _others()

    assert [ask() for _ in range(10)] == [200] * 10

    # Two at times: an answer is there a moment before its connection is given back.
    assert first & _others()
    assert len(_others()) <= 2


def test_a_connection_that_postgresql_has_ended_is_replaced(ask: Callable[[], int]) -> None:
    ask()
    ended = _others()
    with connection.cursor() as cursor:
        for pid in ended:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    assert ask() == 200
    assert ended
    assert not ended & _others()


def test_what_is_left_in_a_transaction_is_not_kept(wrapper: Any, kept: deque[Any]) -> None:
    wrapper.set_autocommit(False)
    wrapper.cursor().execute("SELECT 1")
    wrapper.close()
    assert not kept

    wrapper.connect()
    wrapper.close()
    assert len(kept) == 1


def test_no_more_than_so_many_are_kept(kept: deque[Any]) -> None:
    several = [connections["default"].copy() for _ in range(3)]
    for one in several:
        one.connect()
    for one in several:
        one.close()

    assert len(kept) == 2


def test_other_processes_than_the_web_keep_none(wrapper: Any) -> None:
    wrapper.connect()
    wrapper.close()

    assert not DatabaseWrapper.kept
