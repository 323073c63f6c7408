"""Which models live in which database."""

from typing import Any

from django.db.models import Model

MONGO_APP = "messages_app"


class MessagesRouter:
    """Messages in MongoDB, everything else in PostgreSQL, and no relation between them."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """The database of a model."""
        return "messages" if model._meta.app_label == MONGO_APP else "default"

    db_for_write = db_for_read

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        """Only within one database."""
        return (first._meta.app_label == MONGO_APP) == (second._meta.app_label == MONGO_APP)

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Each app into its own database."""
        return (app_label == MONGO_APP) == (db == "messages")
