"""The database wrapper that Django loads for `ENGINE = "relaybase.mongo"`."""

from typing import Any

from relaybase.mongo import READING
from relaybase.mongo.placeless import base
from relaybase.mongo.schema import DatabaseSchemaEditor


class DatabaseOperations(base.DatabaseWrapper.ops_class):  # type: ignore[misc]
    """The stock operations with the compiler beside this module."""

    compiler_module = "relaybase.mongo.compiler"


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """The stock wrapper with these operations, and migrations that can be run again."""

    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor

    def get_connection_params(self) -> dict[str, Any]:
        """The stock options, and from whom to read."""
        return {**super().get_connection_params(), **READING}
