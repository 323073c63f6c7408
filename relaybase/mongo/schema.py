"""Migrations of MongoDB that can be run again after they were cut short.

MongoDB rolls nothing back: whatever ends `migrate` halfway leaves some of its steps done and
the migration not recorded. So here what is there already is not made again, and what has
gone already need not be removed. Indexes that are made twice are one to MongoDB anyway.
"""

from django.db.models import Index, Model
from django_mongodb_backend.schema import DatabaseSchemaEditor as Stock
from pymongo.errors import OperationFailure

_GONE = {26, 27}
"""NamespaceNotFound, IndexNotFound."""


class DatabaseSchemaEditor(Stock):  # type: ignore[misc]
    """The stock editor, which takes a step that was made before for made."""

    def create_model(self, model: type[Model]) -> None:
        """Make the collection of a model, or of one that is there the indexes."""
        if not self.collect_sql and model._meta.db_table in self.get_database().list_collection_names():
            self._create_model_indexes(model)
        else:
            super().create_model(model)

    def remove_index(self, model: type[Model], index: Index) -> None:
        """Remove an index, unless it has gone."""
        try:
            super().remove_index(model, index)
        except OperationFailure as exc:
            if exc.code not in _GONE:
                raise
