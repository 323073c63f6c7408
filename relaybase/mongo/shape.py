"""How the collections must look, and what speaks against how they do.

The models declare it, and migrations make it, once. What somebody changes in MongoDB
afterwards no migration notices: an index that is dropped, one that refuses or deletes
messages. `findings` names all that, and `mend` makes again what is missing; it takes nothing
away, since nobody but an operator knows why it is there.

No loop refuses to begin for any of these: what a foreign index refuses goes into
quarantine, and a writer that stood still would let the stream fill up.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from django.apps import apps
from django.db import connections
from django.db.models import Index, Model
from pymongo.database import Database
from pymongo.errors import OperationFailure

from relaybase.mongo.indexes import AttributeIndex, ExpiringIndex, MongoIndex
from relaybase.mongo.router import is_in_mongodb
from relaycore.errors import UnfitServer, one_line
from relaycore.fitness import Finding
from relaycore.storing.duplicates import ID_INDEX

COMMAND: Final = "manage.py migrate --database messages"

_OPTIONS_CONFLICT: Final = 85

_PLAIN: Final = {"v", "key", "name", "ns", "background"}
"""What an index may have. Anything else makes it another one than a model declares."""


def findings(database: Database[Any]) -> Iterator[Finding]:
    """What speaks against the collections in this database.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    names = [model._meta.db_table for model in _models()]
    present = {found["name"]: found for found in database.list_collections(filter={"name": {"$in": names}})}
    for model in _models():
        name = model._meta.db_table
        if name not in present:
            yield Finding(
                "relay.mongo.collection",
                f"MongoDB has no collection {name}.",
                f"Run `{COMMAND}`.",
                serious=True,
            )
            continue
        yield from _of_options(name, present[name].get("options", {}))
        indexes = {found["name"]: found for found in database[name].list_indexes()}
        yield from _missing_indexes(model, indexes)
        expiring = {index.name for index in model._meta.indexes if isinstance(index, ExpiringIndex)}
        yield from _foreign_indexes(name, [one for one in indexes.values() if one["name"] not in expiring])


def mend() -> list[str]:
    """Make what is missing, once all migrations are applied; what was made.

    Raises:
        UnfitServer: another index is in the way.
        django.db.Error, PyMongoError: MongoDB does not answer.
    """
    made = []
    connection: Any = connections["messages"]
    with connection.schema_editor() as editor:
        database = editor.get_database()
        present = database.list_collection_names()
        for model in _models():
            name = model._meta.db_table
            if name not in present:
                editor.create_model(model)
                made.append(f"the collection {name}")
                continue
            known = database[name].index_information()
            for index in model._meta.indexes:
                if index.name not in known:
                    _add(editor, model, index)
                    made.append(f"the index {index.name} of {name}")
    return made


def _models() -> list[type[Model]]:
    models = apps.get_models()
    return [model for model in models if is_in_mongodb(model._meta.app_label, model._meta.model_name)]


def _add(editor: Any, model: type[Model], index: Index) -> None:
    try:
        editor.add_index(model, index)
    except OperationFailure as exc:
        if exc.code != _OPTIONS_CONFLICT:
            raise
        text = f"The index {index.name} cannot be made, since the same is there under another name"
        raise UnfitServer(f"{text}. Drop that one: {one_line(exc, 200)}") from exc


def _of_options(name: str, options: Mapping[str, Any]) -> Iterator[Finding]:
    if options.get("capped"):
        yield Finding(
            "relay.mongo.capped",
            f"The collection {name} is capped: MongoDB deletes the oldest to make room for new ones.",
            "Copy it into one that is not.",
            serious=True,
        )
    if options.get("validator") and options.get("validationAction", "error") != "warn":
        yield Finding(
            "relay.mongo.validator",
            f"The collection {name} has a validator: what it refuses is not stored.",
            f'Remove it: db.runCommand({{collMod: "{name}", validator: {{}}}}).',
        )


def _missing_indexes(model: type[Model], present: Mapping[str, Any]) -> Iterator[Finding]:
    name = model._meta.db_table
    for index in model._meta.indexes:
        found = present.get(index.name)
        if found is None:
            text = f"MongoDB has no index {index.name} on {name}: reading {name} takes very long."
            yield Finding("relay.mongo.index", text, f"Run `{COMMAND}`.", serious=True)
        elif not _is_as_declared(model, index, found):
            text = f"The index {index.name} on {name} is not the one that Relay makes."
            hint = f'Drop it, db.{name}.dropIndex("{index.name}"), and run `{COMMAND}`.'
            yield Finding("relay.mongo.index", text, hint, serious=True)


def _is_as_declared(model: type[Model], index: Index, found: Mapping[str, Any]) -> bool:
    columns = {field.name: field.column for field in model._meta.local_fields}
    key: list[tuple[str | None, int]] = [
        (columns[name], -1 if order else 1) for name, order in index.fields_orders
    ]
    if isinstance(index, AttributeIndex):
        key[:] = index.key
    beside = index.options if isinstance(index, MongoIndex) else {}
    special = {option: value for option, value in found.items() if option not in _PLAIN}
    return list(found["key"].items()) == key and special == beside


def _foreign_indexes(name: str, indexes: Iterable[Mapping[str, Any]]) -> Iterator[Finding]:
    for index in indexes:
        drop = f'Drop it: db.{name}.dropIndex("{index["name"]}").'
        if index["name"] != ID_INDEX and (index.get("unique") or index.get("prepareUnique")):
            yield Finding(
                "relay.mongo.unique",
                f'The index "{index["name"]}" on {name} is unique, and not Relay\'s: it keeps out messages '
                "that were never stored.",
                f"{drop} What it refused is in quarantine, and can be retried.",
                serious=True,
            )
        if "expireAfterSeconds" in index:
            yield Finding(
                "relay.mongo.ttl",
                f'The index "{index["name"]}" on {name} has expireAfterSeconds: MongoDB deletes what is '
                "stored, and Relay does not know of it.",
                f"{drop} How long messages are kept is each channel's retention_seconds.",
                serious=True,
            )
