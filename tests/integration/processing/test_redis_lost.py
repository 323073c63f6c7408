"""Redis loses what it has, or has no room: what was said is said again, and time passes all the same."""

import time
from typing import Any

import pytest

from messages_app.writing.writer import write
from tests.integration.processing.alerts import Alerts, alert, now
from tests.loops import Loop

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_outputs_that_are_lost_before_they_are_stored_are_appended_again(
    alerts: Alerts, writer: Loop, processor: Loop, relay_keys: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=3.0), alert("Acre", seconds=60.0))
    wait_until(lambda: len(alerts.told("open")) == 2)
    writer.stop()
    before = relay_keys.xinfo_stream("orchestrator_channel:{0}")["last-generated-id"]
    wait_until(
        lambda: (
            relay_keys.xinfo_stream("orchestrator_channel:{0}")["entries-added"] > 2
            and relay_keys.xinfo_stream("orchestrator_channel:{0}")["last-entry"][0] > before
        ),
        what="the close stands, and nobody stores it",
    )
    relay_keys.flushall()
    assert len(alerts.told()) == 2
    again = Loop(lambda stopping: write(0, stopping))
    try:
        wait_until(lambda: alerts.told("close"), seconds=20)
        alerts.send(alert("Haifa", seconds=0.5))
        wait_until(lambda: len(alerts.told("close")) == 2, seconds=20)
        alerts.require_said(now())
    finally:
        again.stop()


def test_a_window_closes_in_time_once_a_full_redis_has_room_again(
    alerts: Alerts, writer: Loop, processor: Loop, relay_keys: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=1.0))
    wait_until(lambda: alerts.told("open"))
    relay_keys.config_set("maxmemory", 1)
    try:
        time.sleep(2.0)
        assert not alerts.told("close")
    finally:
        relay_keys.config_set("maxmemory", 0)
    wait_until(lambda: alerts.told("close"), seconds=3)
    alerts.require_said(now())
