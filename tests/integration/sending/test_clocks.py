"""How old a message is: by Redis' clock, which has given it its position, whatever PostgreSQL's says."""

from collections.abc import Callable
from typing import Any

import pytest

from relaybase.connections import shared_redis
from relaybase.redis import clock
from relaycore.position import at_millisecond
from subscribers_app import registration
from subscribers_app.models import Subscription, Undelivered
from tests.integration.pulling.conftest import Client
from tests.integration.sending.endpoints import Endpoints
from tests.integration.sending.flow import topics
from tests.loops import Loop
from webhooks_app.sending import working
from webhooks_app.sending.recording.transaction import record

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

HOUR_MS = 3_600_000


@pytest.fixture(params=[0, HOUR_MS, -HOUR_MS], ids=["right", "ahead", "behind"])
def _postgres_clock(request: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a sender hears of PostgreSQL's clock is off by so much."""

    def recorded(*what: Any) -> Any:
        result = record(*what)
        result.now += request.param if result.now else 0
        return result

    monkeypatch.setattr(working, "record", recorded)


@pytest.mark.usefixtures("_postgres_clock")
def test_what_is_too_old_is_not_sent_and_on_record_and_nothing_else(
    client: Client,
    writer: Any,
    hook: Callable[..., Subscription],
    endpoints: Endpoints,
    sender: Loop,
    wait_until: Any,
) -> None:
    (channel,) = topics(1)
    place = endpoints.place()
    made = hook(channel, place.url, max_age_seconds=6)
    registration.pause(made.name)
    old = client.publish(channel, "old", "as old")[-1]
    wait_until(lambda: at_millisecond(clock.milliseconds(shared_redis()) - 6000) > old)
    young = client.publish(channel, "young")[-1]
    registration.resume(made.name)
    wait_until(lambda: Subscription.objects.get(pk=made.pk).position == young, seconds=15)
    assert place.said == ["young"]
    assert list(Undelivered.objects.values_list("cause", "upto", "messages")) == [("age", old, 2)]
