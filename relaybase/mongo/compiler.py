"""The stock compilers; only the one for SELECT differs."""

from typing import Any

from django_mongodb_backend import compiler
from django_mongodb_backend.compiler import (
    SQLAggregateCompiler,
    SQLDeleteCompiler,
    SQLInsertCompiler,
    SQLUpdateCompiler,
)

__all__ = [
    "SQLAggregateCompiler",
    "SQLCompiler",
    "SQLDeleteCompiler",
    "SQLInsertCompiler",
    "SQLUpdateCompiler",
]


class SQLCompiler(compiler.SQLCompiler):  # type: ignore[misc]
    """Leaves out the fields that are only renamed to themselves."""

    def build_query(self, columns: Any = None) -> Any:
        """Build the pipeline."""
        query = super().build_query(columns)
        if query.extra_fields:
            query.extra_fields = {k: v for k, v in query.extra_fields.items() if v != f"${k}"}
        return query
