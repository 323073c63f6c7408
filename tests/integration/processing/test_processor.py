"""One rule, one processor: alerts in, open and close out, in time and once."""

from typing import Any

import pytest

from relaybase import meters
from tests.integration.processing.alerts import Alerts, alert, now

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_an_alert_is_told_at_once_and_closed_when_it_ends(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    ends_at = now() + 2000
    alerts.send(alert("Haifa", seconds=2.0))

    wait_until(lambda: alerts.told("open"), seconds=2)
    assert now() < ends_at
    wait_until(lambda: alerts.told("close"), seconds=5)

    closed_at = now()
    assert ends_at <= closed_at <= ends_at + 2000
    (opened, closed) = alerts.told()
    assert (opened["location"], closed["location"]) == ("Haifa", "Haifa")
    assert closed["endTime"] == opened["endTime"]
    alerts.require_said(now())


def test_it_is_counted_how_late_timers_are(
    alerts: Alerts, writer: Any, processor: Any, relay_keys: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=6.0), alert("Acre", seconds=6.5), alert("Lod", begins_in=-60))
    wait_until(lambda: len(alerts.told("close")) == 3, seconds=20)

    def late() -> tuple[float, float]:
        buckets, total = meters.read(relay_keys, [0])[0].buckets("rule_timer_late_seconds")
        return buckets[-1][1], total

    # That of Lod was due when it came: no timer has told it.
    wait_until(lambda: late()[0] == 2, what="those of Haifa and Acre are counted")
    assert late()[1] == pytest.approx(sum(by for _, by in alerts.late()) / 1000)
