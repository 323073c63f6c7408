"""Silences by Relay's own API: made, found, ended, and what each change means to rules."""

import json
from datetime import timedelta
from typing import Any

import pytest
from bson import ObjectId
from django.utils import timezone
from rest_framework.test import APIClient

from access_app import tokens
from access_app.models import AuditEntry
from alerts_app import registration
from alerts_app.models import Rule, RulesMark
from alerts_app.processing import known
from alerts_app.receiving.channel import CHANNEL
from alerts_app.silencing import forces
from alerts_app.silencing.models import Silence
from channels_app import registration as channels
from relaycore.alerting.labelled import matchers
from relaycore.delivering.beginning import Start
from relaycore.errors import BadRule
from relaycore.policy import EVERY
from relaycore.position import START
from relaycore.rights import Grant, Grants
from relaycore.times import from_milliseconds
from tests.integration.alerts.conftest import STARTS_AT
from tests.loops import Loop

pytestmark = pytest.mark.django_db

SILENCES = "/api/v1/silences"


def new(**changed: Any) -> dict[str, Any]:
    ends_at = (timezone.now() + timedelta(hours=1)).isoformat()
    return {"matchers": ["alertname=Slow", 'host=~"a|b"'], "ends_at": ends_at, "comment": "known", **changed}


def test_one_is_made_found_and_ended(api: APIClient, operator: Any) -> None:
    made = api.post(SILENCES, new(), format="json")
    assert made.status_code == 201, made.data
    assert made["Location"].endswith(f"{SILENCES}/{made.data['id']}")
    assert made.data["matchers"] == ['alertname="Slow"', 'host=~"a|b"']
    assert (made.data["state"], made.data["created_by"]) == ("active", "operator")
    address = f"{SILENCES}/{made.data['id']}"
    assert api.get(address).data == made.data
    assert api.get(SILENCES).data["results"] == [made.data]

    assert api.delete(address).status_code == 204
    assert api.get(address + "/").data["state"] == "expired"
    assert api.delete(address).status_code == 204
    said = AuditEntry.objects.filter(target=made.data["id"]).order_by("pk")
    assert list(said.values_list("action", flat=True)) == ["silence put", "silence expired"]


def test_they_are_found_by_their_state_and_page_by_page(api: APIClient) -> None:
    late = (timezone.now() + timedelta(minutes=10)).isoformat()
    for _ in range(3):
        api.post(SILENCES, new(), format="json")
    pending = api.post(SILENCES, new(starts_at=late), format="json").data
    assert pending["state"] == "pending"
    assert [one["id"] for one in api.get(f"{SILENCES}?state=pending").data["results"]] == [pending["id"]]
    assert len(api.get(f"{SILENCES}?state=active").data["results"]) == 3
    assert api.get(f"{SILENCES}?state=expired").data["results"] == []
    first = api.get(f"{SILENCES}?limit=3").data
    second = api.get(first["next"]).data
    assert len({one["id"] for page in (first, second) for one in page["results"]}) == 4
    assert second["next"] is None


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"matchers": []}, "bad-silence"),
        ({"matchers": ["a=~.*"]}, "bad-silence"),
        ({"matchers": ["a"]}, "bad-matcher"),
        ({"matchers": "a=b"}, "bad-matcher"),
        ({"matchers": ["a=~("]}, "bad-matcher"),
        ({"ends_at": "2020-01-01T00:00:00Z"}, "bad-silence"),
        ({"ends_at": "soon"}, "invalid"),
        ({"more": 1}, "invalid"),
    ],
)
def test_what_cannot_be_meant_is_refused(api: APIClient, changed: dict[str, Any], kind: str) -> None:
    answer = api.post(SILENCES, new(**changed), format="json")
    assert answer.status_code == 400
    assert answer.data["type"].endswith(kind)


def test_there_is_none_of_another_id(api: APIClient) -> None:
    for id in ("nonsense", "00000000-0000-4000-8000-000000000000"):
        answer = api.get(f"{SILENCES}/{id}")
        assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:silence-unknown")
        assert api.delete(f"{SILENCES}/{id}").status_code == 404


def test_a_token_needs_the_right_on_the_channel(operator: Any, api: APIClient) -> None:
    made = api.post(SILENCES, new(), format="json").data

    def of(scope: str, channel: str) -> APIClient:
        client = APIClient()
        _, key = tokens.make(f"{scope} {channel}", operator, Grants((Grant(scope, (channel,)),)))
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {key}")
        return client

    reader = of("read", "relay/*")
    assert reader.get(SILENCES).status_code == 200
    assert reader.post(SILENCES, new(), format="json").status_code == 403
    assert reader.delete(f"{SILENCES}/{made['id']}").status_code == 403
    other = of("manage", "orders.*")
    assert other.get(SILENCES).status_code == 403
    assert of("manage", "relay/*").delete(f"{SILENCES}/{made['id']}").status_code == 204


@pytest.mark.django_db(transaction=True)
def test_each_change_is_another_revision_of_all_group_rules(api: APIClient, relay_keys: Any) -> None:
    channels.start(CHANNEL, EVERY, door="relay/", listen=False, republish=False)
    rule = registration.create("pages", CHANNEL, "pages", Rule.Kind.GROUP, {}, Start(START))
    before = known.learn(known.Known())
    mark = RulesMark.objects.get().mark
    made = api.post(SILENCES, new(), format="json").data
    assert RulesMark.objects.get().mark != mark
    after = known.learn(before)
    assert after.rules[rule.uuid.hex].revision == before.rules[rule.uuid.hex].revision + 1
    settings: Any = after.rules[rule.uuid.hex].settings
    assert [one["id"] for one in settings["silences"]] == [made["id"]]
    api.delete(f"{SILENCES}/{made['id']}")
    assert known.learn(after).rules[rule.uuid.hex].revision == 3
    # One that has ended already is nothing new.
    api.delete(f"{SILENCES}/{made['id']}")
    assert known.learn(after).rules[rule.uuid.hex].revision == 3


@pytest.mark.django_db(transaction=True)
def test_no_silence_is_taken_into_a_revision_that_had_none(
    api: APIClient, relay_keys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channels.start(CHANNEL, EVERY, door="relay/", listen=False, republish=False)
    rule = registration.create("pages", CHANNEL, "pages", Rule.Kind.GROUP, {}, Start(START))
    kept, made = forces.kept, list[Any]()

    def kept_a_moment_later() -> Any:
        if not made:
            made.append(api.post(SILENCES, new(), format="json").data)
        return kept()

    monkeypatch.setattr(forces, "kept", kept_a_moment_later)
    found = known.learn(known.Known()).rules[rule.uuid.hex]
    settings: Any = found.settings
    assert (found.revision, len(settings["silences"])) == (2, 1)


def test_nobody_writes_silences_into_a_rule(relay_keys: Any) -> None:
    channels.start(CHANNEL, EVERY, door="relay/", listen=False, republish=False)
    with pytest.raises(BadRule, match="silences"):
        registration.create("pages", CHANNEL, "pages", Rule.Kind.GROUP, {"silences": []}, Start(START))
    registration.create("pages", CHANNEL, "pages", Rule.Kind.GROUP, {}, Start(START))
    with pytest.raises(BadRule, match="silences"):
        registration.change("pages", {"silences": []})


def test_what_has_ended_long_ago_goes(api: APIClient) -> None:
    old = api.post(SILENCES, new(), format="json").data["id"]
    Silence.objects.filter(pk=old).update(ends_at=timezone.now() - timedelta(days=6))
    api.post(SILENCES, new(), format="json")
    assert api.get(f"{SILENCES}/{old}").status_code == 404


def test_a_rule_is_tried_with_the_silences_that_there_were(
    api: APIClient, relay_keys: Any, archive: Any, writer: Loop
) -> None:
    channels.start("in", EVERY, listen=False, republish=False)
    for number, host in enumerate("ab"):
        message = {"labels": {"alertname": "Slow", "host": host}}
        archive.insert_one(
            {
                "_id": ObjectId(),
                "channel": "in",
                "message": json.dumps(message),
                "received_at": timezone.now(),
                "position": f"{STARTS_AT + number:013d}-0000000000-00000",
            }
        )
    starts = from_milliseconds(STARTS_AT - 1_000)
    Silence.objects.create(
        matchers=[matchers.parse("host=b").shown()],
        starts_at=starts,
        ends_at=starts + timedelta(hours=1),
        updated_at=starts,
    )
    until = (starts + timedelta(minutes=2)).isoformat()
    settings: dict[str, Any] = {"group_by": ["alertname"]}
    wanted = {"channel": "in", "kind": "group", "settings": settings, "until": until}

    def told(**more: Any) -> list[str]:
        asked = {**wanted, "settings": {**settings, **more}}
        answer = api.post("/api/v1/rules/back-test", asked, format="json")
        assert answer.status_code == 200, answer.data
        notices = [json.loads(one["message"]) for one in answer.data["events"]]
        return [alert["labels"]["host"] for one in notices for alert in one["alerts"]]

    assert told() == ["a"]
    assert sorted(told(silences=[])) == ["a", "b"]
