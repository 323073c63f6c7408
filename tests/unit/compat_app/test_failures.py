"""What the doors say of a server that is away: a sentence of ours, and not the driver's words."""

import psycopg2
import pytest
import redis
from django.db import OperationalError
from pymongo.errors import ServerSelectionTimeoutError

from compat_app.alertmanager import failures as alertmanager
from compat_app.log_queue import failures as log_queue
from relaybase.http import problems
from relaycore.errors import Disconnected

HERE = "inner.example:6379"


def raised(cause: Exception, kind: type[Exception] | None = None) -> Exception:
    """The driver's error, or as one of ours which has its words."""
    if kind is None:
        return cause
    try:
        raise kind(f"It cannot be asked: {cause}") from cause
    except kind as exc:
        return exc


@pytest.mark.parametrize(
    ("exc", "server"),
    [
        (redis.ConnectionError(f"Error 111 connecting to {HERE}."), "Redis"),
        (raised(redis.ConnectionError(f"Error 111 connecting to {HERE}."), Disconnected), "Redis"),
        (raised(redis.TimeoutError(f"Timeout connecting to {HERE}."), Disconnected), "Redis"),
        (ServerSelectionTimeoutError(f"{HERE}: refused"), "MongoDB"),
        (raised(psycopg2.OperationalError(f"server at {HERE} failed"), OperationalError), "PostgreSQL"),
    ],
)
def test_a_server_that_is_away_is_named_and_not_where_it_is(exc: Exception, server: str) -> None:
    problem = problems.of_server_behind(exc)
    assert problem is not None
    said = [str(problem.detail), log_queue.text_of(exc), alertmanager.answer_to(exc)[1]]

    assert said == [f"{server} does not answer. Try again in a few seconds."] * 3
    assert (problem.status_code, alertmanager.answer_to(exc)[0]) == (503, 503)


def test_what_redis_forbids_is_said_without_its_user() -> None:
    exc = raised(
        redis.ResponseError("NOPERM User inner has no permissions to run the 'get' command"),
        Disconnected,
    )

    assert "inner" not in log_queue.text_of(exc) + alertmanager.answer_to(exc)[1]
