"""What people do with alerts stands on their channel, each once, and rules over it take it from there."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import transaction

from alerts_app import alerts as known
from alerts_app.handling import deciding, telling
from alerts_app.models import Acknowledgement, Handled, Rule
from channels_app.models import Channel
from events_app import teller
from relaybase import keys
from relaycore.alerting.acknowledging import is_by_people
from relaycore.errors import NotTaken
from relayproject import tasks
from tests.integration.processing.alerts import Alerts, alert, now

pytestmark = pytest.mark.django_db(transaction=True, databases=["default", "messages"])


@pytest.fixture
def escalation(alerts: Alerts) -> Alerts:
    """What nobody has acknowledged for 1.5 s is told on another channel."""
    to = Channel.objects.create(channel=f"{alerts.rule.to}.late", deduplicate="every", listen=False)
    rule = Rule.objects.create(
        name=f"{alerts.rule}-late",
        channel=alerts.rule.to,
        to=to,
        kind="unacknowledged",
        settings={"seconds": 1.5},
    )
    return Alerts(alerts.redis, alerts.messages, rule)


@pytest.fixture
def opened(
    alerts: Alerts, writer: Any, processor: Any, wait_until: Callable[..., Any]
) -> Callable[[str], str]:
    """An alert of a minute begins; its id, once it is open."""

    def of(location: str) -> list[Any]:
        return [one for one in alerts.events() if json.loads(one["message"]).get("location") == location]

    def begin(location: str) -> str:
        alerts.send(alert(location, seconds=60))
        wait_until(lambda: of(location), what="it is told")
        id: str = of(location)[0]["attributes"]["alert-id"]
        wait_until(lambda: known.find(id).state == "open", what="it is kept")
        return id

    return begin


def by_people(alerts: Alerts) -> list[tuple[str, str]]:
    told = [one["attributes"] for one in alerts.messages.find({"channel": alerts.rule.to.channel})]
    return [(one["alert-id"], one["event"]) for one in told if is_by_people(one)]


def test_what_nobody_acknowledges_is_told_on_another_channel_until_somebody_does(
    alerts: Alerts, escalation: Alerts, opened: Callable[[str], str], wait_until: Callable[..., Any]
) -> None:
    late, seen = opened("Haifa"), opened("Eilat")
    deciding.acknowledge(known.find(seen), "ana", "a word that is nobody else's")
    wait_until(lambda: escalation.told("open"), seconds=10, what="it is told as late")
    (first,) = escalation.told("open")
    assert (first["alert"], first["about"]["location"]) == (late, "Haifa")
    deciding.acknowledge(known.find(late), "ben")
    wait_until(lambda: escalation.told("close"), seconds=10, what="that is over")
    (closed,) = escalation.told("close")
    assert closed["alert"] == late
    escalation.require_said(now())
    assert sorted(by_people(alerts)) == sorted([(seen, "acknowledge"), (late, "acknowledge")])
    for one in alerts.events():
        assert "ana" not in str(one)
        assert "nobody else's" not in str(one)


def test_what_is_released_is_waited_for_anew_and_stands_after_what_it_takes_back(
    alerts: Alerts, escalation: Alerts, opened: Callable[[str], str], wait_until: Callable[..., Any]
) -> None:
    id = opened("Haifa")
    found = known.find(id)
    deciding.acknowledge(found, "ana")
    deciding.acknowledge(found, "ben")  # Who was first stands.
    deciding.release(found)
    deciding.release(found)
    wait_until(lambda: len(by_people(alerts)) == 2, what="both are told")
    assert [
        one["attributes"]["event"] for one in alerts.events() if one["attributes"]["event"] != "open"
    ] == [
        "acknowledge",
        "release",
    ]
    wait_until(lambda: escalation.told("open"), seconds=10, what="it is told as late")
    escalation.require_said(now())
    row = known.shown(known.find(id))
    assert [one["attributes"]["event"] for one in row["history"]] == ["open", "acknowledge", "release"]


def test_it_waits_for_redis_and_is_told_once_whoever_tells_it_again(
    alerts: Alerts,
    opened: Callable[[str], str],
    wait_until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telling, "tell_soon", lambda: None)  # Whoever was to tell it has died.
    id = opened("Haifa")
    deciding.acknowledge(known.find(id), "ana")
    (waits,) = Handled.objects.all()
    again = Handled(**{one.attname: getattr(waits, one.attname) for one in Handled._meta.fields})
    tasks.tell_events()
    wait_until(lambda: by_people(alerts) == [(id, "acknowledge")], what="beat's tick tells it")
    wait_until(lambda: not Handled.objects.exists(), what="it waits no more")
    again.save(force_insert=True)  # He had told it, and died before he could say so.
    deciding.release(known.find(id))
    assert telling.tell() == 2
    wait_until(lambda: len(by_people(alerts)) == 2, what="what came after it is told")
    assert by_people(alerts) == [(id, "acknowledge"), (id, "release")]


def test_what_redis_loses_before_it_is_stored_is_told_all_the_same(
    alerts: Alerts,
    request: pytest.FixtureRequest,
    wait_until: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(teller, "STORED_SECONDS", 0.3)
    id = "0" * 24
    for event in ("acknowledge", "release"):
        Handled.objects.create(rule=alerts.rule, rule_uuid=alerts.rule.uuid, alert=id, event=event)
    for _ in range(2):
        with pytest.raises(NotTaken, match="not stored yet"):
            telling.tell()
    assert Handled.objects.count() == 2
    assert alerts.redis.xlen(keys.stream(0)) == 1, "it is not appended once more"
    assert alerts.redis.xtrim(keys.stream(0), maxlen=0, approximate=False) == 1
    request.getfixturevalue("writer")

    def is_told() -> bool:
        tasks.tell_events()
        return not Handled.objects.exists()

    wait_until(is_told, what="it is told")
    assert by_people(alerts) == [(id, "acknowledge"), (id, "release")]


def test_what_is_not_so_is_not_told(alerts: Alerts, opened: Callable[[str], str]) -> None:
    found = known.find(opened("Haifa"))
    with transaction.atomic():
        deciding.acknowledge(found, "ana")
        transaction.set_rollback(True)
    assert not Acknowledgement.objects.exists()
    assert not Handled.objects.exists()
    assert telling.tell() == 0
