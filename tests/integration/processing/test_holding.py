"""Retention leaves what a rule has not come past yet."""

import json
from typing import Any

import pytest

from alerts_app import keeping
from alerts_app.holding import kept_above
from alerts_app.models import Rule
from channels_app.models import Channel
from relayproject.tasks import delete_all_expired
from tests.integration.processing.alerts import Alerts, alert

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def _outputs(alerts: Alerts) -> int:
    stands = keeping.frontiers([alerts.rule.uuid.hex])
    return stands[alerts.rule.uuid.hex].outputs if stands else 0


def test_what_a_rule_has_not_come_past_is_not_deleted(
    alerts: Alerts, writer: Any, run: Any, wait_until: Any
) -> None:
    processor = run()
    for count in (1, 2):
        alerts.send(alert("Haifa", seconds=60))
        wait_until(lambda count=count: _outputs(alerts) == count)
    processor.stop()
    alerts.send(alert("Acre", seconds=60))
    wait_until(lambda: len(alerts.inputs()) == 3)
    Channel.objects.filter(pk=alerts.rule.channel.pk).update(retention_seconds=0)

    delete_all_expired()

    assert [json.loads(one.message)["location"] for one in alerts.inputs()] == ["Haifa", "Acre"]

    run()
    wait_until(lambda: len(alerts.told("open")) == 2)
    Rule.objects.filter(pk=alerts.rule.pk).update(state=Rule.State.DISABLED)
    assert kept_above(alerts.channel) is None
    delete_all_expired()
    assert not alerts.inputs()


def test_a_rule_that_has_not_begun_holds_what_it_is_to_read(alerts: Alerts) -> None:
    assert (
        kept_above(alerts.channel) == kept_above(alerts.rule.to.channel) == "0000000000000-0000000000-00000"
    )
    assert kept_above("another") is None
