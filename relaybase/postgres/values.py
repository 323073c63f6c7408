"""Many rows in one statement."""

from collections.abc import Sequence
from typing import Any

from django.db.backends.utils import CursorWrapper
from psycopg2 import extras


def execute_values(
    sql: CursorWrapper,
    statement: str,
    rows: Sequence[Sequence[Any]],
    *,
    template: str | None = None,
    page_size: int = 1000,
    fetch: bool = False,
) -> Any:
    """`statement`, in which `%s` stands for all the rows, `page_size` of them at a time; what it returns.

    The driver's own takes its cursor, past Django's: what it raises would be nobody's to catch.

    Raises:
        django.db.Error: PostgreSQL does not answer, or refuses it.
    """
    with sql.db.wrap_database_errors:
        return extras.execute_values(sql.cursor, statement, rows, template, page_size, fetch)
