"""Indexes of MongoDB that Django has no words for."""

from abc import abstractmethod
from typing import Any

from django.db.models import Index
from pymongo import IndexModel


class MongoIndex(Index):
    """One that has more to it than fields and their order."""

    @property
    @abstractmethod
    def options(self) -> dict[str, Any]:
        """What MongoDB is told beside the key, and says of the index."""

    def get_pymongo_index_model(self, *args: Any, **kwargs: Any) -> IndexModel:
        """What MongoDB is told. `django_mongodb_backend` gives the method to `Index`."""
        made = super().get_pymongo_index_model(*args, **kwargs)  # type: ignore[misc]
        return IndexModel(made.document["key"].items(), name=self.name, **self.options)


class ExpiringIndex(MongoIndex):
    """On one time: once it has come, MongoDB deletes the document, within a minute or so.

    The document says when. So how long one is kept may be changed without a word to MongoDB, for those that
    come from then on.
    """

    @property
    def options(self) -> dict[str, Any]:
        """After the time that the document says."""
        return {"expireAfterSeconds": 0}


class PartialIndex(MongoIndex):
    """On some fields, of those documents alone that are so, as MongoDB says it."""

    def __init__(self, *args: Any, where: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.where = where

    def deconstruct(self) -> Any:
        """With the condition."""
        path, args, kwargs = super().deconstruct()
        return path, args, {**kwargs, "where": self.where}

    @property
    def options(self) -> dict[str, Any]:
        """Which documents are in it."""
        return {"partialFilterExpression": self.where}


class AttributeIndex(MongoIndex):
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
        return IndexModel(self.key, name=self.name, **self.options)

    @property
    def key(self) -> list[tuple[str, int]]:
        """As MongoDB has it."""
        return [(f"attributes.{self.attribute}", 1), ("position", 1)]

    @property
    def options(self) -> dict[str, Any]:
        """Which messages are in it."""
        return {"partialFilterExpression": {f"attributes.{self.attribute}": {"$exists": True}}}
