"""Many rows in one statement: what PostgreSQL says against it is Django's to tell."""

import pytest
from django.db import InterfaceError, OperationalError, ProgrammingError, connection

from relaybase.postgres.values import execute_values

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_says_what_it_returns() -> None:
    with connection.cursor() as sql:
        rows = [(number,) for number in range(5)]
        statement = "SELECT n + 1 FROM (VALUES %s) AS v (n)"
        assert execute_values(sql, statement, rows, page_size=2, fetch=True) == [(n + 1,) for n in range(5)]


def test_what_is_refused_is_an_error_of_django() -> None:
    with connection.cursor() as sql, pytest.raises(ProgrammingError):
        execute_values(sql, "INSERT INTO nowhere VALUES %s", [(1,)])


def test_a_server_that_has_gone_is_an_error_of_django() -> None:
    with connection.cursor() as sql:
        sql.execute("SELECT pg_backend_pid()")
        ((pid,),) = sql.fetchall()
        with connection.copy().cursor() as other:
            other.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises((OperationalError, InterfaceError)):
            execute_values(sql, "SELECT pg_sleep(5) FROM (VALUES %s) AS v (n)", [(1,)])
    connection.close()
