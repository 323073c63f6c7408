"""Whether the databases are those of this version's migrations."""

import functools
from collections.abc import Collection
from typing import Any, Final

from django.db import connections, router
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from relaycore.fitness import Finding

SERVERS: Final = {"default": "PostgreSQL", "messages": "MongoDB"}

Key = tuple[str, str]
"""An app and the name of a migration."""


def unapplied(alias: str) -> str | None:
    """What a database lacks, and what to run, as it is said after the server's name; None: nothing.

    A migration that this version does not know is none: versions are mixed while an upgrade rolls.

    Raises:
        django.db.Error, PyMongoError: the server does not answer.
    """
    applied = _recorded(alias)
    lacking = [
        key
        for key, replaced in _known()
        if router.allow_migrate(alias, key[0])
        and key not in applied
        and not (replaced and all(one in applied for one in replaced))
    ]
    if not lacking:
        return None
    count = "a migration" if len(lacking) == 1 else f"{len(lacking)} migrations"
    option = "" if alias == "default" else f" --database {alias}"
    return f"lacks {count}, {'.'.join(lacking[0])} first. Run `manage.py migrate{option}`."


def finding(alias: str, lacks: str) -> Finding:
    """The same, as something that speaks against the server."""
    return Finding("relay.migrations", f"{SERVERS[alias]} {lacks}", "", serious=True)


@functools.cache
def _known() -> tuple[tuple[Key, tuple[Key, ...]], ...]:
    """Every migration of this version, in an order to apply them in, with those that it replaces."""
    graph = MigrationLoader(None).graph
    ordered = dict.fromkeys(key for leaf in graph.leaf_nodes() for key in graph.forwards_plan(leaf))
    return tuple((key, tuple(graph.nodes[key].replaces)) for key in ordered)


def _recorded(alias: str) -> Collection[Key]:
    connection: Any = connections[alias]
    if alias == "default":
        return MigrationRecorder(connection).applied_migrations()
    # Django asks first which collections there are: this is one question, and no collection is an answer too.
    connection.ensure_connection()
    rows = connection.database[MigrationRecorder.Migration._meta.db_table].find({}, {"app": 1, "name": 1})
    return {(row["app"], row["name"]) for row in rows}
