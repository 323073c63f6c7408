"""One rule, one processor: alerts in, open and close out, in time and once."""

from typing import Any

import pytest

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
