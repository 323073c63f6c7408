"""The database wrapper that Django loads for `ENGINE = "relaybase.mongo"`."""

from django_mongodb_backend import base

from relaybase.mongo.schema import DatabaseSchemaEditor


class DatabaseOperations(base.DatabaseWrapper.ops_class):  # type: ignore[misc]
    """The stock operations with the compiler beside this module."""

    compiler_module = "relaybase.mongo.compiler"


class DatabaseWrapper(base.DatabaseWrapper):  # type: ignore[misc]
    """The stock wrapper with these operations, and migrations that can be run again."""

    ops_class = DatabaseOperations
    SchemaEditorClass = DatabaseSchemaEditor
