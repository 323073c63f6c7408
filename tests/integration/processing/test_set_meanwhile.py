"""A rule is edited, disabled, enabled, deleted and begun anew while alerts come in."""

import json
import time
from typing import Any
from uuid import uuid4

import pytest

from alerts_app import keeping
from alerts_app.models import Rule
from leases_app.models import Lease
from tests.integration.processing.alerts import Alerts, alert, now
from tests.integration.processing.rain import Rain, all_told
from tests.integration.processing.test_frozen_processor import edit, revision_of
from tests.integration.pulling.traffic import Threads

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_edits_lose_nothing_and_repeat_nothing(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    rain = Rain(alerts)
    with Threads([rain.run]):
        wait_until(lambda: len(alerts.events()) > 20)
        for number in range(2, 6):
            edit(alerts, f"Several {number}")
            wait_until(lambda number=number: revision_of(alerts) == number, seconds=10, what="it is in force")
            time.sleep(0.3)
    all_told(alerts, rain, wait_until, edited=True)
    revisions = {one["attributes"]["revision"] for one in alerts.events()}
    assert revisions == {"1", "2", "3", "4", "5"}


def test_settings_that_cannot_be_are_shown_and_the_rule_goes_on_as_it_was(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=60))
    wait_until(lambda: alerts.told("open"))
    Rule.objects.filter(pk=alerts.rule.pk).update(settings={"key": 7}, revision=2)
    lease = Lease.objects.filter(role=Lease.Role.PROCESSOR)
    wait_until(lambda: alerts.rule.name in lease.get().trouble)
    alerts.send(alert("Acre", seconds=60))
    wait_until(lambda: len(alerts.told("open")) == 2)


def test_a_disabled_rule_says_nothing_and_goes_on_where_it_was(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=1.5))
    wait_until(lambda: alerts.told("open"))
    wait_until(lambda: keeping.open_alerts([alerts.rule.uuid.hex]).alerts)
    Rule.objects.filter(pk=alerts.rule.pk).update(state=Rule.State.DISABLED)
    time.sleep(2.5)
    alerts.send(alert("Acre", seconds=1.0))
    time.sleep(1.0)
    assert len(alerts.told()) == 1
    Rule.objects.filter(pk=alerts.rule.pk).update(state=Rule.State.ACTIVE)
    wait_until(lambda: len(alerts.told("close")) == 2)
    alerts.require_said(now())


def test_what_is_kept_of_a_deleted_rule_goes(
    alerts: Alerts, writer: Any, processor: Any, archive: Any, wait_until: Any
) -> None:
    rain = Rain(alerts)
    with Threads([rain.run]):
        wait_until(lambda: len(alerts.events()) > 50)
        Rule.objects.filter(pk=alerts.rule.pk).delete()
        database = archive.database
        wait_until(lambda: not database["rule_frontiers"].count_documents({}))
        told = len(alerts.events())
        time.sleep(1.0)
    for name in ("rule_frontiers", "rule_states"):
        assert not database[name].count_documents({})
    assert len(alerts.events()) == told


def test_what_begins_anew_is_another_rule(
    alerts: Alerts, writer: Any, processor: Any, archive: Any, wait_until: Any
) -> None:
    alerts.send(alert("Haifa", seconds=60))
    wait_until(lambda: alerts.told("open"))
    Rule.objects.filter(pk=alerts.rule.pk).update(uuid=uuid4(), revision=2)
    wait_until(lambda: len(alerts.told("open")) == 2)
    before, after = alerts.events()
    assert before["attributes"]["rule"] != after["attributes"]["rule"]
    kept = archive.database["rule_frontiers"]
    wait_until(lambda: kept.distinct("rule") == [after["attributes"]["rule"]])


def test_what_the_rule_cannot_use_is_counted_and_the_rest_goes_on(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Any
) -> None:
    alerts.send_raw(b"no JSON", b"{}", json.dumps(alert("Haifa", seconds=60)).encode(), bytes([255, 254]))
    wait_until(lambda: alerts.told("open"))
    rule = alerts.rule.uuid.hex
    wait_until(lambda: rule in keeping.frontiers([rule]) and keeping.frontiers([rule])[rule].unusable == 3)
    assert keeping.frontiers([rule])[rule].last_unusable
