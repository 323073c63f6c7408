"""With `RELAY_ALERTMANAGER` alone: what amtool adds is told to a webhook, as Alertmanager tells it."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from alerts_app.models import Rule
from subscribers_app.models import Subscription
from tests.integration.alertmanager.conftest import Amtool
from tests.integration.processing.conftest import processor
from tests.integration.sending.conftest import _keys, endpoint, endpoints, hook, place, sender
from tests.integration.sending.endpoints import Place
from tests.loops import Loop

__all__ = ["_keys", "endpoint", "endpoints", "hook", "place", "processor", "sender"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_what_amtool_adds_comes_to_a_webhook_in_version_4(
    amtool: Amtool,
    archive: Any,
    writer: Loop,
    hook: Callable[..., Subscription],
    place: Place,
    processor: Loop,
    sender: Loop,
    wait_until: Callable[..., None],
) -> None:
    wait_until(Rule.objects.exists, what="the web process has laid the rule")
    rule = Rule.objects.select_related("to").get()
    hook(rule.to.channel, place.url)
    # It fires for longer than a group waits, so nobody is kept waiting.
    start = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    end = (datetime.now(UTC) + timedelta(minutes=10)).isoformat()
    amtool.run("alert", "add", "Disk", "host=a", "severity=page", f"--start={start}", f"--end={end}")
    wait_until(lambda: place.came, seconds=30, what="it is told")
    body = json.loads(place.came[0].body)
    assert (body["version"], body["status"], body["receiver"]) == ("4", "firing", "relay")
    assert body["groupLabels"] == {"alertname": "Disk"}
    (alert,) = body["alerts"]
    assert alert["labels"] == {"alertname": "Disk", "host": "a", "severity": "page"}
    assert "relay" in amtool.run("config", "routes")
