"""Who may publish on which channel: before Django and by Django, 403 before 404, and within a second."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from access_app import tokens
from relaycore import rights
from tests.integration.api.test_hot_side_by_side import ask
from tests.integration.publishing.conftest import Publisher

pytestmark = pytest.mark.django_db(transaction=True)

Make = Callable[..., str]


@pytest.fixture(scope="module")
def servers(serve: Callable[..., str]) -> tuple[str, str]:
    """A web process as it is, and one in which only Django answers."""
    return serve(), serve("django")


def key_for(operator: Any, *grants: tuple[str, str], name: str = "producer") -> str:
    granted = [{"scope": scope, "channels": [channel]} for scope, channel in grants]
    return tokens.make(name, operator, rights.parse(granted))[1]


def both(servers: tuple[str, str], key: str, channel: str) -> int:
    """The status that both answer, with the same words."""
    lines = [("host", "localhost"), ("authorization", f"Bearer {key}"), ("x-request-id", "abc")]
    lines += [("content-type", "text/plain"), ("content-length", "1"), ("idempotency-key", "key")]
    path = f"/api/v1/channels/{channel}/messages"
    hot, django = (ask(server, "POST", path, b"a", lines) for server in servers)
    assert (hot[0], hot[2]) == (django[0], django[2])
    return hot[0]


def test_a_producer_publishes_where_it_may_and_learns_nothing_of_others(
    servers: tuple[str, str], operator: Any, make_channel: Make, relay_keys: Any
) -> None:
    key = key_for(operator, ("publish", "mine-*"))

    assert both(servers, key, make_channel(name="mine")) == 202
    assert both(servers, key, make_channel(name="other")) == 403
    # Whether there is such a channel is not said.
    assert both(servers, key, "nothing") == 403
    assert both(servers, key, "mine-nothing") == 404


@pytest.mark.parametrize("scope", ["read", "consume"])
def test_who_may_only_read_may_not_publish(
    servers: tuple[str, str], operator: Any, make_channel: Make, scope: str
) -> None:
    assert both(servers, key_for(operator, (scope, "*")), make_channel()) == 403


def test_the_permission_of_the_user_counts_too(
    servers: tuple[str, str], django_user_model: Any, make_channel: Make, relay_keys: Any, wait_until: Any
) -> None:
    user, channel = django_user_model.objects.create_user("somebody"), make_channel()
    key = key_for(user, ("publish", "*"))
    assert both(servers, key, channel) == 403

    user.user_permissions.add(Permission.objects.get(codename="add_message"))

    publisher = Publisher(servers[0], key)
    wait_until(lambda: publisher.post(channel, b"a").status == 202, seconds=2)
    assert both(servers, key, channel) == 202
