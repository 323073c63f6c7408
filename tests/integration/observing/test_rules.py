"""What /metrics says of rules."""

import time
from typing import Any

import pytest

from alerts_app.models import Rule
from tests.integration.processing.alerts import Alerts, alert
from tests.integration.processing.conftest import _kept, alerts, processor, run

__all__ = ["_kept", "alerts", "processor", "run"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def measured(api: Any, rule: str) -> dict[str, float]:
    lines = api.get("/metrics").content.decode().splitlines()
    found = [line for line in lines if f'rule="{rule}"' in line]
    return {
        line.partition("{")[0].removeprefix("relay_rule_"): float(line.rpartition(" ")[2]) for line in found
    }


def test_a_rule_that_goes_on_is_neither_behind_nor_late(
    api: Any, alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=60), alert("Acre", seconds=0.1))
    alerts.send_raw(b"no JSON")
    name = alerts.rule.name
    expected = {
        "active": 1.0,
        "behind_seconds": 0.0,
        "late_seconds": 0.0,
        "outputs_total": 3.0,
        "unusable_messages_total": 1.0,
        "open_alerts": 1.0,
    }
    # What is said is counted once it is stored, and what is open once that is kept.
    wait_until(lambda: measured(api, name) == expected)


def test_one_that_nobody_processes_is_behind_and_late(
    api: Any, alerts: Alerts, writer: Any, run: Any, wait_until: Any
) -> None:
    name = alerts.rule.name
    processor = run()
    alerts.send(alert("Haifa", seconds=1.0))
    wait_until(lambda: measured(api, name).get("open_alerts") == 1)
    processor.stop()
    alerts.send(alert("Acre", seconds=1.0))
    time.sleep(1.5)
    wait_until(lambda: len(alerts.inputs()) == 2)
    Rule.objects.filter(pk=alerts.rule.pk).update(state=Rule.State.DISABLED)

    found = measured(api, name)

    assert found["active"] == 0
    assert 1 < found["behind_seconds"] < 30
    assert 0.4 < found["late_seconds"] < 30
