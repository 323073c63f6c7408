"""The clock of Redis falls back: which is as if what came before had come in the future."""

import time
from typing import Any

import pytest

from relaybase import keys
from tests.integration.processing.alerts import Alerts, alert, now

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

AHEAD_MS = 4_000


def test_time_stands_still_until_the_clock_is_there_and_nothing_fires_twice(
    alerts: Alerts, writer: Any, processor: Any, relay_keys: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=0.5), alert("Acre", seconds=60))
    wait_until(lambda: len(alerts.told("open")) == 2)
    ahead = now() + AHEAD_MS
    relay_keys.execute_command("XSETID", keys.stream(0), f"{ahead}-0")
    alerts.send(alert("Acre", begins_in=1.0, seconds=90))
    wait_until(lambda: len(alerts.told("open")) == 3)
    # What came then came at a time that lies ahead: so Haifa's end has been.
    wait_until(lambda: alerts.told("close"))
    assert now() < ahead
    ends_at = now() + 2 * AHEAD_MS
    alerts.send(alert("Lod", seconds=2 * AHEAD_MS / 1000))
    wait_until(lambda: len(alerts.told("open")) == 4)
    wait_until(lambda: len(alerts.told("close")) == 2, seconds=20)
    assert ends_at <= now() <= ends_at + 2000
    time.sleep(0.5)
    alerts.require_said(now())
    assert [one["location"] for one in alerts.told("close")] == ["Haifa", "Lod"]
