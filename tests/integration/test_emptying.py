"""After a test that has committed, PostgreSQL is what it was before it."""

import threading
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import TransactionTestCase

from access_app.models import RightsMark
from channels_app import registration as channels
from channels_app.models import ChannelsMark
from leases_app.leasing import Contender
from leases_app.models import Deployment, Lease
from relaycore.delivering.beginning import parse
from subscribers_app import registration as subscriptions
from subscribers_app.models import SubscriptionsMark
from tests import emptying

pytestmark = pytest.mark.django_db(transaction=True)

MARKS = (RightsMark, ChannelsMark, SubscriptionsMark)


def end_of_a_test() -> None:
    case: Any = TransactionTestCase()
    case._fixture_teardown()


def marks() -> list[Any]:
    return [model.objects.values_list("mark", flat=True).first() for model in MARKS]


def tables_with_rows() -> set[str]:
    left_out = {model._meta.db_table for model in MARKS}
    found = set[str]()
    with connection.cursor() as cursor:
        for table in set(connection.introspection.django_table_names(only_existing=True)) - left_out:
            cursor.execute(f"SELECT FROM {table} LIMIT 1")
            found |= {table} if cursor.rowcount else set()
    return found


def test_what_was_committed_is_gone_and_who_remembers_it_is_told(
    token: str, relay_keys: Any, archive: Any
) -> None:
    channels.start("orders")
    subscriptions.create("billing", "orders", "lease", parse("latest"))
    Contender(task_id="task-1").claim(Lease.Role.WRITER, 0)
    Deployment.objects.update(identity="f" * 32)
    before = marks()

    end_of_a_test()

    assert tables_with_rows() == {*emptying.KEPT, Deployment._meta.db_table}
    assert Deployment.objects.get().identity == emptying.OWN
    assert all(mark is not None and mark not in before for mark in marks())


def test_a_permission_that_was_changed_is_what_it_was() -> None:
    names = list(Permission.objects.values_list("codename", "name"))
    Permission.objects.filter(codename="view_message").update(name="changed")
    Permission.objects.filter(codename="view_channel").delete()

    end_of_a_test()

    assert sorted(Permission.objects.values_list("codename", "name")) == sorted(names)
    kept = emptying.kept()
    end_of_a_test()
    assert emptying.kept() == kept  # It is not made anew each time from then on.


def test_whoever_is_connected_still_is_waited_for_and_named(in_thread: Any) -> None:
    looked, may_end = threading.Event(), threading.Event()

    def look() -> None:
        Deployment.objects.exists()
        looked.set()
        may_end.wait(20)

    looking = in_thread(look)
    assert looked.wait(20)
    with pytest.raises(AssertionError, match=Deployment._meta.db_table):
        emptying.wait_until_alone(0.1)
    may_end.set()
    looking.result(20)
    emptying.wait_until_alone()
