"""A copy of all tables in PostgreSQL, and the way back to it: `pg_dump`, and `pg_restore --clean`, in SQL.

The programs of a distribution are often older than the server of the tests, and refuse it.
"""

import io
from dataclasses import dataclass
from typing import Self

from django.db import connection, transaction

_SEQUENCES = "SELECT schemaname, sequencename, last_value FROM pg_sequences WHERE last_value IS NOT NULL"


@dataclass(frozen=True)
class Backup:
    """What the tables held at one moment."""

    tables: dict[str, str]
    sequences: list[tuple[str, str, int]]

    @classmethod
    def make(cls) -> Self:
        """As of now, whatever runs meanwhile."""
        tables = {}
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            for table in connection.introspection.table_names(cursor):
                copied = io.StringIO()
                cursor.copy_expert(f'COPY "{table}" TO STDOUT', copied)
                tables[table] = copied.getvalue()
            cursor.execute(_SEQUENCES)
            return cls(tables, cursor.fetchall())

    def restore(self) -> None:
        """Put everything back as it was."""
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")  # In any order.
            cursor.execute("TRUNCATE " + ", ".join(f'"{table}"' for table in self.tables))
            for table, copied in self.tables.items():
                cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.StringIO(copied))
            for schema, name, value in self.sequences:
                cursor.execute("SELECT setval(%s, %s)", (f'"{schema}"."{name}"', value))
