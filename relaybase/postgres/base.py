"""The database wrapper that Django loads for `ENGINE = "relaybase.postgres"`.

Under ASGI each request has a thread of its own, and a connection lives no longer than that.
But a new one has PostgreSQL start a process: it takes longer than all that an answer asks.
So a web process keeps connections that were given back in good order for requests to come.
(Django does that by itself, but for psycopg 3 only.) Other processes keep none: their loops
hold on to their own, and a connection must not come along into a child.

How long a statement may take is said once the connection is there, and not with it: PgBouncer refuses a
start with `options`. It gives each transaction any connection of its own, so behind it the limit holds where
it has been said, and for certain only if the role has it (docs/operations.md).
"""

from collections import deque
from typing import Any, ClassVar, Final

from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg2 import Error
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

STATEMENT_MILLISECONDS: Final = 15_000


class DatabaseWrapper(base.DatabaseWrapper):
    """The stock wrapper, which closes less. There is one database with this engine."""

    most_kept: ClassVar[int] = 0
    """So many connections of this process are kept; more are opened, and closed again."""

    kept: ClassVar[deque[Any]] = deque()

    def get_new_connection(self, conn_params: Any) -> Any:
        """One that was kept and still answers, or else a new one."""
        while True:
            try:
                connection = self.kept.pop()
            except IndexError:
                return _limited(super().get_new_connection(conn_params), conn_params)
            if _answers(connection):
                self.isolation_level = IsolationLevel.READ_COMMITTED
                return connection
            connection.close()

    def _close(self) -> None:
        connection: Any = self.connection
        if connection is None or len(self.kept) >= self.most_kept or not _is_idle(connection):
            super()._close()  # type: ignore[misc]
        else:
            self.kept.append(connection)


def _limited(connection: Any, parameters: Any) -> Any:
    """With the longest time that a statement may take, if DATABASE_URL says nothing of it."""
    if "statement_timeout" not in str(parameters.get("options", "")):
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = %s", [STATEMENT_MILLISECONDS])
    return connection


def _is_idle(connection: Any) -> bool:
    """In no transaction, as far as this side knows: nothing is left over for who comes next."""
    return not connection.closed and connection.get_transaction_status() == TRANSACTION_STATUS_IDLE


def _answers(connection: Any) -> bool:
    """PostgreSQL may have restarted since."""
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return False
    return True
