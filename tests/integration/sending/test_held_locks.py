"""Somebody holds locks in PostgreSQL: what he holds waits, everything else goes on, and it shows."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection

from subscribers_app.models import Subscription
from tests.integration.pulling.conftest import Client
from tests.integration.sending.conftest import sender_lease
from tests.integration.sending.endpoints import Endpoints, answers
from tests.integration.sending.flow import hooked, topics
from tests.loops import Loop
from webhooks_app.models import Endpoint
from webhooks_app.sending import working

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

Hook = Callable[..., Subscription]


@contextlib.contextmanager
def held(statement: str, *values: object) -> Iterator[None]:
    """By somebody else's transaction, which stands still meanwhile."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as sql:
            sql.execute(statement, values)
        yield
        other.rollback()
    finally:
        other.close()


def position(reader: Any) -> str:
    return Subscription.objects.get(pk=reader.subscription.pk).position


def test_who_holds_an_endpoint_keeps_nothing_from_being_recorded(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, sender: Loop, wait_until: Any
) -> None:
    (channel,) = topics(1)
    one, other = hooked(hook, endpoints, [channel], 2)
    one.place.manner = answers(500)
    number = Endpoint.objects.get(url=one.place.url).pk
    with held("SELECT FROM endpoints WHERE id = %s FOR UPDATE", number):
        positions = client.publish(channel, *map(str, range(10)))
        wait_until(lambda: position(one) == position(other) == positions[-1], what="both are recorded")
        wait_until(lambda: Endpoint.objects.get(url=other.place.url).last_success_at, seconds=20)
        row = Endpoint.objects.get(pk=number)
        assert (row.breaker, row.last_attempt_at) == ("closed", None)
    wait_until(lambda: Endpoint.objects.get(pk=number).breaker == "open", what="it is said once it is free")
    row = Endpoint.objects.get(pk=number)
    assert (row.last_status, row.last_success_at) == (500, None)
    assert row.failing_since


def test_a_table_that_is_held_shows_as_trouble(
    client: Client,
    writer: Any,
    hook: Hook,
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(working, "_HANGS_SECONDS", 1.0)
    (channel,) = topics(1)
    (reader,) = hooked(hook, endpoints, [channel], 1)
    client.publish(channel, "one")
    wait_until(lambda: reader.place.came)
    assert not sender_lease().trouble
    # What is set is read again and again, and nothing says for how long that may wait.
    with held("LOCK TABLE webhooks_mark"):
        wait_until(lambda: "has not answered" in sender_lease().trouble, seconds=15)
    wait_until(lambda: not sender_lease().trouble, what="it goes on")
    client.publish(channel, "two")
    wait_until(lambda: len(reader.place.came) == 2)


def test_what_was_answered_last_is_written_of_those_that_are_well_and_when_it_ends(
    client: Client, writer: Any, hook: Hook, endpoints: Endpoints, sender: Loop, wait_until: Any
) -> None:
    (channel,) = topics(1)
    (reader,) = hooked(hook, endpoints, [channel], 1)

    def row() -> Endpoint:
        return Endpoint.objects.get(url=reader.place.url)

    client.publish(channel, "one")
    wait_until(lambda: row().last_success_at, seconds=20)
    first = row()
    assert (first.last_status, first.last_attempt_at) == (204, first.last_success_at)
    client.publish(channel, "two")
    wait_until(lambda: len(reader.place.came) == 2)
    sender.stop()
    last = row().last_success_at
    assert first.last_success_at is not None
    assert last is not None
    assert last > first.last_success_at
