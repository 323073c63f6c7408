"""Listening that is turned on and off, on a real Redis."""

from typing import Any

import pytest
from django.db import connection

from channels_app import registration
from channels_app.listening.recording.roster import Roster
from channels_app.models import Channel
from tests.integration.channels.topics import make_topics

from .world import Wait, is_active, on_stream, publish, wake

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.usefixtures("listening")
def test_a_channel_is_heard_once_listening_is_turned_on_and_no_more_once_it_is_off(
    relay_keys: Any, wait_until: Wait
) -> None:
    registration.start("orders", listen=False)
    registration.start("witness")
    wait_until(lambda: is_active("witness"))
    assert relay_keys.pubsub_numsub("orders")[0][1] == 0

    registration.change("orders", listen=True)
    wait_until(lambda: is_active("orders"), seconds=2)
    publish(relay_keys, "orders", ["heard"])
    wait_until(lambda: on_stream(relay_keys) == ["heard"])
    registration.change("orders", listen=False)
    wait_until(lambda: relay_keys.pubsub_numsub("orders")[0][1] == 0, seconds=2)
    assert Channel.objects.with_status().get(channel="orders").status is None


@pytest.mark.usefixtures("listening")
def test_off_and_on_before_any_listener_has_looked_is_heard_anew(
    relay_keys: Any, wait_until: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The listener has never unsubscribed. What it knows of the life before says nothing of this one."""
    registration.start("orders")
    wait_until(lambda: is_active("orders"))
    first_heard_at = Channel.objects.get().first_heard_at
    monkeypatch.setattr(registration, "wake", lambda places: True)
    registration.change("orders", listen=False)
    registration.change("orders", listen=True)
    assert not is_active("orders")
    wake(relay_keys, "orders")

    wait_until(lambda: is_active("orders"), seconds=2)
    again = Channel.objects.get().first_heard_at
    assert first_heard_at is not None
    assert again is not None
    assert again > first_heard_at


def test_a_hundred_thousand_that_nobody_listens_to_are_not_even_looked_at(wait_until: Wait) -> None:
    registration.start("heard")
    make_topics(100_000)
    with connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT life, channel, deduplicate FROM channels "
            "WHERE partition = 0 AND listen"
        )
        plan = cursor.fetchone()[0][0]
    assert plan["Plan"]["Index Name"] == "channels_listened_to"
    assert plan["Plan"].get("Rows Removed by Filter", 0) == 0
    with Roster(0) as roster:
        seen: list[Any] = []

        def has_read() -> bool:
            seen.extend(roster.take())
            return roster.is_read and bool(seen)

        wait_until(has_read)
    assert [wanted.channel for wanted in seen] == [b"heard"]
