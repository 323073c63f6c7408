"""Whether the databases are those of this version's migrations."""

from typing import Final

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

SERVERS: Final = {"default": "PostgreSQL", "messages": "MongoDB"}


def unapplied(alias: str) -> str | None:
    """What a database lacks, and what to run; None: nothing.

    A migration that this version does not know is none: versions are mixed while an upgrade rolls.

    Raises:
        django.db.Error, PyMongoError: the server does not answer.
    """
    executor = MigrationExecutor(connections[alias])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return None
    count = "a migration" if len(plan) == 1 else f"{len(plan)} migrations"
    return f"{SERVERS[alias]} lacks {count}, {plan[0][0]} first. Run `manage.py migrate{_option(alias)}`."


def _option(alias: str) -> str:
    return "" if alias == "default" else f" --database {alias}"
