"""An alert that cannot be handed to its receiver is told on another channel."""

import json
import time
from collections.abc import Callable

import pytest

from alerts_app import registration
from channels_app.models import Channel
from events_app import channel as events
from events_app.telling import tell
from relaycore.delivering.beginning import Start
from relaycore.position import START
from subscribers_app.models import Subscription
from tests.integration.processing.alerts import Alerts, alert
from tests.integration.sending.conftest import _keys, endpoint, endpoints, hook, place, sender
from tests.integration.sending.endpoints import Place, answers
from tests.loops import Loop

__all__ = ["_keys", "endpoint", "endpoints", "hook", "place", "sender"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


def test_a_receiver_that_takes_nothing_is_told_of_where_somebody_hears(
    alerts: Alerts,
    writer: Loop,
    processor: Loop,
    sender: Loop,
    hook: Callable[..., Subscription],
    place: Place,
    wait_until: Callable[..., None],
) -> None:
    place.manner = answers(500)
    # Two attempts, one second apart: then it is dead.
    pages = hook(alerts.rule.to.channel, place.url, schedule_seconds=[0, 1])
    subjects = [f"subscriptions/{pages.name}"]
    assert not Channel.objects.filter(channel=events.NAME).exists()
    rule = registration.create(
        "not-told", events.NAME, "not-told", "failing", {"subjects": subjects}, Start(START)
    )
    other = Alerts(alerts.redis, alerts.messages, rule)
    began = time.monotonic()
    alerts.send(alert("Haifa", seconds=60))

    def is_told() -> bool:
        tell()  # As beat's tick does.
        return bool(other.told("open"))

    wait_until(is_told, seconds=30, what="it is told on another channel")
    (said,) = other.told()
    assert (said["subject"], said["about"]["type"]) == (subjects[0], "subscription.dead-letters")
    assert said["about"]["data"]["channel"] == alerts.rule.to.channel
    (told,) = alerts.events()
    assert said["about"]["data"]["message_id"] == str(told["_id"])
    assert len(place.came) >= 2
    assert time.monotonic() - began < 20, "a second for the schedule, and a few for what tells of it"
    assert "Haifa" not in json.dumps(other.told()), "no body of a message"
