"""Whoever is sent what Relay tells, and fails, is told of a handful of times."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from events_app import channel
from events_app.models import Event
from events_app.noting import Type, note
from events_app.telling import tell
from relaycore.sending import failing
from subscribers_app.models import Delivery, Subscription
from tests.integration.sending.conftest import _keys, endpoint, endpoints, hook, place, sender
from tests.integration.sending.endpoints import Place, answers
from tests.loops import Loop

__all__ = ["_keys", "endpoint", "endpoints", "hook", "place", "sender"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_the_reader_of_events_that_fails_makes_no_storm(
    archive: Any,
    relay_keys: Any,
    writer: Loop,
    hook: Callable[..., Subscription],
    sender: Loop,
    place: Place,
    monkeypatch: pytest.MonkeyPatch,
    wait_until: Callable[..., Any],
) -> None:
    stages = (1, 100, 500, 1500)  # In place of minutes and days.
    monkeypatch.setattr(failing, "WARNED_AFTER_MS", stages)
    place.manner = answers(500)
    made = hook(channel.NAME, place.url, schedule_seconds=[0])
    with transaction.atomic(), connection.cursor() as sql:
        note(sql, Type.DISABLED, 0, 1, "endpoints/another", {})
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < 5:
        if tell():
            quiet_since = time.monotonic()
        time.sleep(0.05)
    told = [json.loads(one["message"])["type"] for one in archive.find({"channel": channel.NAME})]
    wait_until(
        lambda: Delivery.objects.filter(subscription=made, state="dead").count() == len(told),
        what="all of them have failed",
    )
    assert told.count("subscription.dead-letters") == 1
    assert 1 <= told.count("endpoint.failing") <= len(stages)
    assert len(told) <= 2 + len(stages)
    assert not Event.objects.exists()
