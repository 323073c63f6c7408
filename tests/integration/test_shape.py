"""What somebody changes in MongoDB, and what a migration leaves half done, is named and mended."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.db.migrations.recorder import MigrationRecorder

from relaybase.mongo import shape

pytestmark = pytest.mark.django_db(databases=["default", "messages"])

COLLECTIONS = ("messages", "quarantine")


@pytest.fixture
def mongo(archive: Any) -> Iterator[Any]:
    """The database, and in the end as migrations make it."""
    database = archive.database
    _mend(database)
    yield database
    _mend(database)
    assert _found(database) == {}


def _mend(database: Any) -> None:
    for name in COLLECTIONS:
        database.drop_collection(name)
    shape.mend()


def _found(database: Any) -> dict[str, bool]:
    return {finding.id: finding.serious for finding in shape.findings(database)}


def _migrate() -> str:
    out = io.StringIO()
    call_command("migrate", database="messages", stdout=out, stderr=out, no_color=True, skip_checks=False)
    return out.getvalue()


def _check() -> None:
    call_command("check", databases=["messages"])


def _indexes(database: Any) -> dict[str, set[str]]:
    return {name: set(database[name].index_information()) for name in COLLECTIONS}


def test_what_migrations_make_is_sound(mongo: Any) -> None:
    assert _found(mongo) == {}
    assert "Made again" not in _migrate()
    _check()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("messages", "channel_position"),
        ("messages", "alert_id"),
        ("attempts", "webhook_id_id"),
        ("quarantine", "quarantined_at_id"),
        ("quarantine", "channel_quarantined_at_id"),
    ],
)
def test_an_index_that_was_dropped_is_named_and_made_again(mongo: Any, name: str, index: str) -> None:
    before = _indexes(mongo)
    mongo[name].drop_index(index)

    with pytest.raises(SystemCheckError, match=rf"no index {index} on {name}.*\n.*Run `manage.py migrate"):
        _check()

    assert f"Made again the index {index} of {name}" in _migrate()
    assert _indexes(mongo) == before
    _check()


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collection_that_was_dropped_is_named_and_made_again(mongo: Any, name: str) -> None:
    before = _indexes(mongo)
    mongo.drop_collection(name)

    with pytest.raises(SystemCheckError, match=f"no collection {name}"):
        _check()

    assert f"Made again the collection {name}" in _migrate()
    assert _indexes(mongo) == before


def test_an_index_of_another_shape_under_our_name_is_named(mongo: Any) -> None:
    mongo["messages"].drop_index("channel_position")
    mongo["messages"].create_index(["channel"], name="channel_position")

    with pytest.raises(SystemCheckError, match=r"not the one that Relay makes.*\n.*dropIndex"):
        _check()


def test_the_same_index_under_another_name_is_named_by_migrate(mongo: Any) -> None:
    mongo["messages"].drop_index("channel_position")
    mongo["messages"].create_index(["channel", "position"], name="mine")

    with pytest.raises(CommandError, match=r"channel_position cannot be made.*mine"):
        _migrate()


@pytest.mark.parametrize("name", COLLECTIONS)
@pytest.mark.parametrize(
    ("options", "id"),
    [
        ({"unique": True}, "relay.mongo.unique"),
        ({"expireAfterSeconds": 3600}, "relay.mongo.ttl"),
        ({"unique": True, "partialFilterExpression": {"channel": "orders"}}, "relay.mongo.unique"),
    ],
)
def test_an_index_that_refuses_or_deletes_is_named(
    mongo: Any, name: str, options: dict[str, Any], id: str
) -> None:
    mongo[name].create_index(["received_at"], name="mine", **options)

    assert _found(mongo) == {id: True}
    with pytest.raises(SystemCheckError, match=rf'"mine" on {name}.*\n.*db\.{name}\.dropIndex\("mine"\)'):
        _check()
    assert f'"mine" on {name}' in _migrate(), "it is warned of, and Relay comes up"


def test_an_index_that_only_helps_somebody_to_read_is_nobodys_business(mongo: Any) -> None:
    mongo["messages"].create_index(["received_at"], name="mine")

    assert _found(mongo) == {}


def test_a_collection_that_forgets_and_one_that_refuses_are_named(mongo: Any) -> None:
    mongo.drop_collection("quarantine")
    mongo.create_collection("quarantine", capped=True, size=4096)
    shape.mend()
    mongo.command({"collMod": "messages", "validator": {"message": {"$ne": "bad"}}})

    assert _found(mongo) == {"relay.mongo.capped": True, "relay.mongo.validator": False}


LATER = (
    *("0003_what_publishers_say", "0004_quarantined_acknowledged", "0005_quarantined_message_id_index"),
    *("0006_alert_id", "0007_quarantined_sent"),
)


def _forget(*names: str) -> None:
    for name in names:
        MigrationRecorder(connections["messages"]).record_unapplied("messages_app", name)


def test_a_migration_that_was_cut_short_is_named_and_done_again(mongo: Any) -> None:
    """MongoDB rolls nothing back: the collection of messages stands, all else was not made yet."""
    _forget("0001_initial", "0002_quarantined_message_id", *LATER)
    mongo.drop_collection("quarantine")
    mongo["messages"].drop_index("channel_position")

    with pytest.raises(SystemCheckError, match=r"MongoDB lacks 7 migrations.*migrate --database messages"):
        _check()
    _migrate()

    assert _found(mongo) == {}
    _check()


def test_a_migration_that_lost_its_last_step_is_done_again(mongo: Any) -> None:
    """The old index has gone, one of the new ones is not there yet."""
    _forget("0002_quarantined_message_id", *LATER)
    mongo["quarantine"].drop_index("channel_quarantined_at_id")

    _migrate()

    assert _found(mongo) == {}


def test_a_plan_changes_nothing(mongo: Any) -> None:
    mongo["messages"].drop_index("channel_position")

    call_command("migrate", database="messages", plan=True, stdout=io.StringIO(), stderr=io.StringIO())

    assert _found(mongo) == {"relay.mongo.index": True}
