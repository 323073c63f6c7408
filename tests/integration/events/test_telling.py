"""What Relay tells of itself: once, if it is so, and on a channel like any other."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from channels_app.models import Channel
from events_app import channel, teller
from events_app.models import Event
from events_app.noting import Type, note
from events_app.telling import tell
from leases_app.leasing import Contender
from leases_app.models import Lease
from relaybase import keys
from relaycore.delivering.leasing import Delivery, State
from relaycore.errors import NotTaken, RelayError
from relaycore.sending.breaker import Breaker
from relaycore.sending.failing import Failing
from relayproject import tasks
from subscribers_app import dead
from subscribers_app.dead import Which
from subscribers_app.models import Subscription
from subscribers_app.pulling import ledger
from tests.integration.subscriptions.conftest import at, give, key, orders, store, subscribe
from tests.integration.webhooks.conftest import pushed
from webhooks_app import registration
from webhooks_app.models import Endpoint, Webhook
from webhooks_app.sending.recording import seeing
from webhooks_app.sending.recording.seeing import Seen

__all__ = ["orders", "pushed", "store"]

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])

HOUR = 3_600_000
SINCE = 1_795_262_400_000


def _note(number: int = 1) -> None:
    with transaction.atomic(), connection.cursor() as sql:
        note(sql, Type.DISABLED, number, 7, "endpoints/billing", {"reason": "gone"})


def _stored(archive: Any) -> list[dict[str, Any]]:
    return list(archive.find({"channel": channel.NAME}).sort("position", 1))


def test_it_is_a_message_like_any_other_and_one_however_often_it_is_published(
    archive: Any, relay_keys: Any, writer: Any, wait_until: Callable[..., Any]
) -> None:
    for _ in range(2):
        _note()
    assert tell() == 1
    assert not Event.objects.exists()
    wait_until(lambda: _stored(archive), what="it is stored")
    _note()  # As by somebody who does not know that it was told.
    _note(2)
    assert tell() == 2
    wait_until(lambda: len(_stored(archive)) == 2, what="the other one is stored")
    first, second = _stored(archive)
    said = json.loads(first["message"])
    assert said.pop("time").endswith("+00:00")
    assert said == {"type": "endpoint.disabled", "subject": "endpoints/billing", "data": {"reason": "gone"}}
    assert (first["produced_by"], first["content_type"]) == ("relay", "application/json")
    assert first["_id"] != second["_id"]
    row = Channel.objects.get(channel=channel.NAME)
    assert (row.listen, row.retention_seconds) == (False, channel.RETENTION_SECONDS)


def test_what_is_not_so_is_not_told() -> None:
    with transaction.atomic():
        _note()
        transaction.set_rollback(True)
    assert not Event.objects.exists()


def test_what_redis_loses_before_it_is_stored_is_told_all_the_same(
    archive: Any,
    relay_keys: Any,
    request: pytest.FixtureRequest,
    wait_until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teller, "STORED_SECONDS", 0.3)
    _note()
    for _ in range(2):
        with pytest.raises(NotTaken, match="not stored yet"):
            tell()
        assert Event.objects.count() == 1
        assert relay_keys.xlen(keys.stream(0)) == 1, "it is not appended once more"
    assert relay_keys.xtrim(keys.stream(0), maxlen=0, approximate=False) == 1
    request.getfixturevalue("writer")

    def is_told() -> bool:
        tasks.tell_events()
        return not Event.objects.exists()

    wait_until(is_told, what="it is told")
    assert len(_stored(archive)) == 1


def test_it_waits_while_redis_is_away(archive: Any, relay_keys: Any, redis_away: None) -> None:
    _note()
    relay_keys.client_kill_filter(_type="normal", skipme=True)  # What this process has opened before.
    with pytest.raises(RelayError):
        tell()
    assert Event.objects.count() == 1


def test_beat_has_it_told(archive: Any, relay_keys: Any, writer: Any, wait_until: Callable[..., Any]) -> None:
    def is_told() -> bool:
        tasks.tell_events()
        return not Event.objects.exists()

    tasks.tell_events()
    _note()
    wait_until(is_told, what="it is told")


def test_the_channel_is_there_as_soon_as_somebody_subscribes(api: Any, archive: Any, relay_keys: Any) -> None:
    body = {"name": "operators", "channel": channel.NAME, "mode": "cursor", "start": "earliest"}
    assert api.post("/api/v1/subscriptions", body, format="json").status_code == 201
    refused = api.post("/api/v1/channels", {"channel": "relay/other"}, format="json")
    assert refused.status_code == 400


def _die(row: Subscription, *numbers: int) -> None:
    """These have been handed out, and were given back once too often."""
    give(row, numbers)
    dying = [Delivery(at(number), key(number), State.DEAD, 1, why="given back") for number in numbers]
    with transaction.atomic(), connection.cursor() as sql:
        ledger.lock(sql, [row.pk])
        ledger.update(sql, row.pk, dying)


def test_dead_letters_begin_once(orders: Any, store: Any) -> None:
    store(1, 2, 3, 4)
    row = subscribe()
    _die(row, 1, 2)
    _die(row, 3)
    (event,) = Event.objects.all()
    assert (event.type, event.subject) == ("subscription.dead-letters", "subscriptions/billing")
    told = {"channel": "orders", "kind": "pull", "message_id": key(1).hex(), "why": "given back"}
    assert event.data == told
    dead.drop(row, Which())
    _die(row, 4)
    assert Event.objects.count() == 2


def _see(row: Endpoint, failing: Failing) -> list[tuple[str, Any]]:
    """What is told once a sender has seen this."""
    Event.objects.all().delete()
    seen = Seen(row.pk, row.revision, Breaker(9, SINCE), failing, "open", 500, "", SINCE, None)
    term = Contender().claim(Lease.Role.SENDER, 0)
    assert term is not None
    with connection.cursor() as sql:
        seeing.write(sql, term, [seen])
    term.release()
    return [(one.type, one.data.get("failing_seconds")) for one in Event.objects.all()]


def test_an_endpoint_that_fails_is_told_of_at_a_few_moments_and_once_it_is_well(pushed: Webhook) -> None:
    row = pushed.endpoint
    told = []
    for hours in (0, 0.1, 0.2, 0.3, 12, 24, 25, 73, 80, 96.5, 119):
        told += _see(row, Failing(SINCE, SINCE + round(hours * HOUR)))
    assert told == [("endpoint.failing", seconds) for seconds in (600, 86_400, 259_200, 345_600)]
    assert _see(row, Failing()) == [("endpoint.recovered", None)]
    assert _see(row, Failing()) == []
    # One failure or two are nothing to tell of.
    assert _see(row, Failing(SINCE, SINCE + 1000)) == []
    assert _see(row, Failing()) == []


def test_nothing_is_told_by_a_sender_that_knows_an_older_one(pushed: Webhook) -> None:
    row = pushed.endpoint
    row.revision += 1
    assert _see(row, Failing(SINCE, SINCE + HOUR)) == []


def test_it_is_told_that_relay_has_disabled_one_and_what_hangs_on_it(pushed: Webhook) -> None:
    row = pushed.endpoint
    Endpoint.objects.update(state="active")
    assert registration.disable_by_sender(row.pk, row.revision, "it answered 410: gone")
    assert not registration.disable_by_sender(row.pk, row.revision, "it answered 410: gone")
    (event,) = Event.objects.all()
    assert (event.type, event.subject) == ("endpoint.disabled", "endpoints/billing")
    told = {"reason": "it answered 410: gone", "subscriptions": ["billing"], "subscriptions_count": 1}
    assert event.data == told
    # Whoever disables it himself knows.
    registration.enable(row)
    registration.disable(row, "It moves.")
    assert Event.objects.count() == 1
