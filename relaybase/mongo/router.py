"""Which models live in which database."""

from typing import Any, Final

from django.db.models import Model

IN_MONGODB: Final = frozenset(
    {
        *("messages_app", "webhooks_app.attempt"),
        *("alerts_app.ruleprocessor", "alerts_app.rulefrontier", "alerts_app.rulestate"),
    }
)
"""What lives there: an app, or of an app that has tables too one model, as `app.model` in lower case.

A single model names its key itself, as `ObjectIdAutoField(primary_key=True)`; an app does in its `AppConfig`.
"""


def is_in_mongodb(app_label: str, model_name: str | None) -> bool:
    """Whether a model lives in MongoDB; without a name, whether all of the app's do."""
    return app_label in IN_MONGODB or f"{app_label}.{model_name}" in IN_MONGODB


class MessagesRouter:
    """What `IN_MONGODB` names in MongoDB, everything else in PostgreSQL, and no relation between them."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """The database of a model."""
        return "messages" if _is(model) else "default"

    db_for_write = db_for_read

    def allow_relation(self, first: Model, second: Model, **hints: Any) -> bool:
        """Only within one database."""
        return _is(first) == _is(second)

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        """Each model into its own database, and so the migrations of an app that has both into both."""
        if model_name is None and any(name.startswith(f"{app_label}.") for name in IN_MONGODB):
            return True
        return is_in_mongodb(app_label, model_name) == (db == "messages")


def _is(model: Model | type[Model]) -> bool:
    return is_in_mongodb(model._meta.app_label, model._meta.model_name)
