"""Who was given which permissions is in the audit log, by whichever way it was done."""

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission

from access_app.models import AuditEntry
from tests.integration.access.conftest import permission

pytestmark = pytest.mark.django_db

Row = tuple[str, str, dict[str, Any]]

VIEW = "messages_app.view_message"


def entries() -> list[Row]:
    """And forget them."""
    found = list(AuditEntry.objects.order_by("id").values_list("action", "target", "details"))
    AuditEntry.objects.all().delete()
    return found


@pytest.fixture
def view() -> Permission:
    return permission(VIEW)


def test_permissions_of_a_user(clerk: Any, view: Permission) -> None:
    given, taken = [[(f"rights {verb}", "user clerk", {"rights": [VIEW]})] for verb in ("given", "taken")]
    clerk.user_permissions.add(view)
    assert entries() == given
    clerk.user_permissions.add(view)
    assert entries() == []
    clerk.user_permissions.remove(view)
    assert entries() == taken
    view.user_set.add(clerk)
    assert entries() == given
    clerk.user_permissions.clear()
    assert entries() == taken
    clerk.user_permissions.set([view])
    assert entries() == given
    view.user_set.clear()
    assert entries() == taken


def test_groups(clerk: Any, view: Permission) -> None:
    group = Group.objects.create(name="readers")
    group.permissions.add(view)
    assert entries() == [("rights given", "group readers", {"rights": [VIEW]})]
    clerk.groups.add(group)
    assert entries() == [("rights given", "user clerk", {"rights": ["group readers"]})]
    group.user_set.clear()
    assert entries() == [("rights taken", "user clerk", {"rights": ["group readers"]})]
    group.permissions.clear()
    assert entries() == [("rights taken", "group readers", {"rights": [VIEW]})]


def test_what_a_user_is(clerk: Any) -> None:
    clerk.is_superuser, clerk.is_active = True, False
    clerk.save(update_fields=["last_login"])
    assert entries() == []
    clerk.save()
    assert entries() == [("user changed", "user clerk", {"is_active": False, "is_superuser": True})]
    clerk.save()
    assert entries() == []


def test_a_group_that_is_deleted_takes_its_rights_from_its_users(clerk: Any, django_user_model: Any) -> None:
    group, empty = Group.objects.create(name="readers"), Group.objects.create(name="nobody")
    group.user_set.add(clerk, django_user_model.objects.create_user("another"))
    entries()
    empty.delete()
    assert entries() == []
    group.delete()
    assert entries() == [
        ("rights taken", f"user {name}", {"rights": ["group readers"]}) for name in ("another", "clerk")
    ]
    Group.objects.create(name="writers").user_set.add(clerk)
    entries()
    Group.objects.all().delete()
    assert entries() == [("rights taken", "user clerk", {"rights": ["group writers"]})]


def test_a_user_who_is_more_than_a_plain_one_from_the_beginning(django_user_model: Any) -> None:
    users = django_user_model.objects
    users.create_user("plain")
    assert entries() == []
    users.create_superuser("boss")
    assert entries() == [("user changed", "user boss", {"is_staff": True, "is_superuser": True})]
    users.create_user("staff", is_staff=True)
    assert entries() == [("user changed", "user staff", {"is_staff": True})]
    users.create_user("asleep", is_active=False)
    assert entries() == [("user changed", "user asleep", {"is_active": False})]


def test_in_the_admin(browser: Any, clerk: Any, view: Permission) -> None:
    group = Group.objects.create(name="readers")
    browser.post(f"/admin/auth/group/{group.pk}/change/", {"name": "readers", "permissions": [view.pk]})
    (entry,) = AuditEntry.objects.all()

    assert (entry.actor, entry.via, entry.target) == ("operator", "session", "group readers")
