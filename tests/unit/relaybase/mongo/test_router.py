"""Which models live in MongoDB: an app, or one model of an app that has tables too."""

from types import SimpleNamespace
from typing import Any

import pytest

from relaybase.mongo import router
from relaybase.mongo.router import MessagesRouter

ROUTER = MessagesRouter()


@pytest.fixture(autouse=True)
def _one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if somebody had added one line."""
    monkeypatch.setattr(router, "IN_MONGODB", router.IN_MONGODB | {"webhooks_app.attempt"})


def model(app: str, name: str) -> Any:
    return SimpleNamespace(_meta=SimpleNamespace(app_label=app, model_name=name))


MESSAGE, CHANNEL = model("messages_app", "message"), model("channels_app", "channel")
ATTEMPT, ENDPOINT = model("webhooks_app", "attempt"), model("webhooks_app", "endpoint")


@pytest.mark.parametrize(
    ("model", "database"),
    [(MESSAGE, "messages"), (ATTEMPT, "messages"), (CHANNEL, "default"), (ENDPOINT, "default")],
    ids=["an app", "one model of an app", "another app", "another model of that app"],
)
def test_a_model_is_in_one_database_and_migrated_there_alone(model: Any, database: str) -> None:
    assert ROUTER.db_for_read(model) == ROUTER.db_for_write(model) == database
    label, name = model._meta.app_label, model._meta.model_name
    where = [db for db in ("default", "messages") if ROUTER.allow_migrate(db, label, model_name=name)]
    assert where == [database]


def test_migrations_of_an_app_that_has_both_are_those_of_both_databases() -> None:
    def where(app: str) -> list[str]:
        return [db for db in ("default", "messages") if ROUTER.allow_migrate(db, app)]

    assert where("webhooks_app") == ["default", "messages"]
    assert where("messages_app") == ["messages"]
    assert where("channels_app") == ["default"]


def test_nothing_is_related_across_databases() -> None:
    assert ROUTER.allow_relation(MESSAGE, ATTEMPT)
    assert ROUTER.allow_relation(CHANNEL, ENDPOINT)
    assert not ROUTER.allow_relation(ENDPOINT, ATTEMPT)
