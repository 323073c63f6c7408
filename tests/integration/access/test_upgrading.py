"""Tokens of version 0.1 do what they did: their scope becomes a grant, their users get its permissions."""

import contextlib
import importlib
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from access_app import tokens
from access_app.models import AuditEntry, Token

pytestmark = pytest.mark.django_db


def _give() -> None:
    migration = importlib.import_module("access_app.migrations.0004_permissions_of_users")
    with connection.schema_editor() as editor:
        migration.give(apps, editor)


def _permissions(user: Any) -> set[str]:
    return {permission.codename for permission in user.user_permissions.all()}


READ = {"view_channel", "view_gap", "view_message"}


def test_users_of_tokens_get_what_their_scope_allowed(django_user_model: Any, operator: Any) -> None:
    reader, manager, former, other = map(
        django_user_model.objects.create_user, ("reader", "manager", "former", "other")
    )
    tokens.make("a", reader, "read")
    tokens.make("b", manager, "manage")
    tokens.make("c", manager, "read")
    tokens.revoke(tokens.make("d", former, "manage")[0])
    tokens.make("e", operator, "manage")
    _give()

    assert _permissions(reader) == READ
    assert _permissions(manager) == READ | {"add_channel", "change_channel", "delete_channel"}
    assert [_permissions(user) for user in (former, other, operator)] == [set()] * 3
    given = AuditEntry.objects.filter(action="permissions given").order_by("target")
    assert [(entry.target, entry.details["tokens"]) for entry in given] == [
        ("manager", ["b", "c"]),
        ("reader", ["a"]),
    ]
    assert given[1].details["permissions"] == [
        "channels_app.view_channel",
        "channels_app.view_gap",
        "messages_app.view_message",
    ]
    assert given[0].via.startswith("command ")


def test_a_permission_that_django_has_not_made_yet_is_made(django_user_model: Any) -> None:
    Permission.objects.filter(codename="view_message").delete()
    tokens.make("a", django_user_model.objects.create_user("reader"), "read")
    _give()

    made = Permission.objects.get(codename="view_message")
    assert (made.name, made.content_type.app_label) == ("Can view message", "messages_app")


@contextlib.contextmanager
def _as_before(migration: str) -> Iterator[None]:
    """The tables of this app as that migration left them; at the end as the newest one does.

    By the graph and not by a name: a migration that is added later would stay undone for every test behind.
    """
    MigrationExecutor(connection).migrate([("access_app", migration)])
    try:
        yield
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(executor.loader.graph.leaf_nodes())


@pytest.mark.django_db(transaction=True)
def test_a_scope_becomes_a_grant_on_every_channel(operator: Any) -> None:
    with _as_before("0002_rights_mark"), connection.cursor() as cursor:
        for scope in ("read", "manage"):
            cursor.execute(
                "INSERT INTO tokens (name, scope, digest, hint, user_id) VALUES (%s, %s, %s, '', %s)",
                [scope, scope, scope.encode(), operator.pk],
            )

    assert {token.name: str(token.granted) for token in Token.objects.all()} == {
        "read": "read *",
        "manage": "manage *",
    }
    executor = MigrationExecutor(connection)
    assert executor.migration_plan(executor.loader.graph.leaf_nodes()) == []
