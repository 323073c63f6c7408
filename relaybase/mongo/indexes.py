"""Indexes of MongoDB that Django has no words for."""

from typing import Any

from django.db.models import Index
from pymongo import IndexModel


class ExpiringIndex(Index):
    """On one time: once it has come, MongoDB deletes the document, within a minute or so.

    The document says when. So how long one is kept may be changed without a word to MongoDB, for those that
    come from then on.
    """

    SECONDS = 0
    """After the time that the document says."""

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel:
        """What MongoDB is told. `django_mongodb_backend` gives the method to `Index`."""
        made = super().get_pymongo_index_model(*args, **kwargs)  # type: ignore[misc]
        return IndexModel(made.document["key"].items(), name=self.name, expireAfterSeconds=self.SECONDS)


class PartialIndex(Index):
    """On some fields, of those documents alone that are so, as MongoDB says it."""

    def __init__(self, *args: Any, where: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.where = where

    def deconstruct(self) -> Any:
        """With the condition."""
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "where": self.where}

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel:
        """What MongoDB is told."""
        made = super().get_pymongo_index_model(*args, **kwargs)  # type: ignore[misc]
        return IndexModel(
            made.document["key"].items(), name=self.name, partialFilterExpression=self.condition_of_mongo
        )

    @property
    def condition_of_mongo(self) -> dict[str, Any]:
        """Which documents are in it."""
        return self.where


class AttributeIndex(Index):
    """On one attribute of messages and their position, of those messages alone that have it."""

    def __init__(self, *args: Any, attribute: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attribute = attribute

    def deconstruct(self) -> Any:
        """With the attribute."""
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "attribute": self.attribute}

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel:
        """What MongoDB is told."""
        return IndexModel(self.key, name=self.name, partialFilterExpression=self.condition_of_mongo)

    @property
    def key(self) -> list[tuple[str, int]]:
        """As MongoDB has it."""
        return [(f"attributes.{self.attribute}", 1), ("position", 1)]

    @property
    def condition_of_mongo(self) -> dict[str, Any]:
        """Which messages are in it."""
        return {f"attributes.{self.attribute}": {"$exists": True}}
