"""What a frozen processor adds when it wakes is nobody's: nobody is shown it, wherever he looks."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from alerts_app import faring, keeping, watching
from alerts_app.models import Rule
from relaybase.connections import mongo_collection
from relaybase.mongo.reading import collection
from relaycore.alerting.naming import shard_of
from tests.integration.alerts.conftest import Told

pytestmark = pytest.mark.django_db

ALERTS = "/api/v1/alerts"

MakeRule = Callable[..., Rule]

HIS, NEXT = 10, 20
"""Terms: his who is frozen, and that of whoever has taken over from him."""


def _put(name: str, rule: Rule, to: dict[str, Any], **which: Any) -> None:
    done = mongo_collection(name).update_many({"rule": rule.uuid.hex, **which}, {"$set": to})
    assert done.matched_count == 1


def _written(rule: Rule, location: str, term: int, division: int = 1, **more: Any) -> None:
    key = json.dumps([location], ensure_ascii=False)
    _put(keeping.STATES, rule, {"term": term, "division": division, **more}, key=key)


def _begun(rule: Rule, term: int, division: int = 1, shard: int = 0, of: int = 1) -> None:
    mongo_collection(keeping.FRONTIERS).insert_one(
        {
            "_id": f"{rule.uuid.hex}:{division}:{shard}",
            **(mongo_collection(keeping.FRONTIERS).find_one({"rule": rule.uuid.hex}, {"_id": 0}) or {}),
            "begun": term,
            "division": division,
            "shard": shard,
            "of": of,
        }
    )


@pytest.fixture
def rule(make_rule: MakeRule, told: Told) -> Rule:
    """One that has an alert open in the Harbour, and in Haifa one that ends later, as it is kept."""
    found = make_rule()
    told.take(found, duration=5)
    told.take(found, location="Haifa")
    for location in ("Harbour", "Haifa"):
        _written(found, location, HIS)
    told.stand(found, term=HIS)
    return found


def _shown(api: APIClient, browser: Client, rule: Rule) -> list[set[str]]:
    """The places that are open by each way to ask for them."""
    by_page = json.loads(browser.get("/alerts/state").content)["alerts"]
    in_list = api.get(ALERTS).data["results"]
    one_by_one = [api.get(f"{ALERTS}/{row['alert-id']}").data for row in _kept(rule)]
    lists = [by_page, in_list, [row for row in one_by_one if row["state"] == "open"]]
    return [{row["key"]["location"] for row in rows} for rows in lists]


def _kept(rule: Rule) -> list[dict[str, Any]]:
    found = mongo_collection(keeping.STATES).find({"rule": rule.uuid.hex})
    return [{"alert-id": one["alerts"][0]} for one in found]


def _counted(rule: Rule) -> tuple[int, int, int]:
    """How many are open, by the rule's page and by the metrics, and when the next of them ends, ms."""
    uuid = rule.uuid.hex
    (watched,) = watching.watch()
    return faring.of_all([rule])[uuid].open, watched.open, keeping.earliest_due([uuid])[uuid]


def test_what_its_processor_has_kept_is_shown(api: APIClient, browser: Client, rule: Rule) -> None:
    assert _shown(api, browser, rule) == [{"Harbour", "Haifa"}] * 3
    both = _counted(rule)
    assert both[:2] == (2, 2)
    # Whoever takes over makes all of it his before he keeps anything.
    _written(rule, "Harbour", NEXT)
    _written(rule, "Haifa", NEXT)
    _put(keeping.FRONTIERS, rule, {"begun": NEXT})
    assert _shown(api, browser, rule) == [{"Harbour", "Haifa"}] * 3
    assert _counted(rule) == both


def test_what_he_adds_after_somebody_has_taken_over_is_not(
    api: APIClient, browser: Client, rule: Rule
) -> None:
    both = _counted(rule)
    _written(rule, "Haifa", NEXT)
    _put(keeping.FRONTIERS, rule, {"begun": NEXT})

    assert _shown(api, browser, rule) == [{"Haifa"}] * 3
    assert _counted(rule)[:2] == (1, 1)
    # So it is not late for ever either.
    assert _counted(rule)[2] > both[2]

    # Where its owner has something to keep, he writes over it.
    _written(rule, "Harbour", NEXT)
    assert _shown(api, browser, rule) == [{"Harbour", "Haifa"}] * 3


def test_what_he_adds_after_the_rules_were_divided_anew_is_not(
    api: APIClient, browser: Client, rule: Rule, told: Told
) -> None:
    def shard(place: str) -> int:
        return shard_of(rule.uuid.hex, json.dumps([place]), 2)

    other = next(place for place in map(str, range(100)) if shard(place) != shard("Haifa"))
    told.take(rule, location=other)
    _written(rule, other, HIS)
    at_first = {place for place in ("Harbour", "Haifa") if shard(place) != shard("Haifa")} | {other}
    _begun(rule, NEXT, division=2, shard=shard("Haifa"), of=2)
    # The other shard has not begun: its states wait for it, and are open.
    assert _shown(api, browser, rule) == [at_first] * 3
    assert _counted(rule)[:2] == (len(at_first),) * 2

    _written(rule, "Haifa", NEXT, division=2, shard=shard("Haifa"))
    assert _shown(api, browser, rule) == [{"Haifa"} | at_first] * 3


def test_nobody_sees_to_it(api: APIClient, rule: Rule) -> None:
    id = api.get(f"{ALERTS}?rule={rule.name}").data["results"][0]["id"]
    for location in ("Harbour", "Haifa"):
        _written(rule, location, HIS)
    _put(keeping.FRONTIERS, rule, {"begun": NEXT})
    answer = api.post(f"{ALERTS}/{id}/acknowledge", {}, format="json")
    assert (answer.status_code, answer.data["type"]) == (404, "urn:relay:problem:alert-unknown")


@pytest.mark.parametrize("nth", [1, 2, 3])
@pytest.mark.parametrize(
    "look",
    [
        lambda rule, id: len(keeping.open_alerts([rule]).alerts) == 2,
        lambda rule, id: keeping.open_alert(id) is not None,
        lambda rule, id: keeping.count_open([rule]) == {rule: 2},
        lambda rule, id: rule in keeping.earliest_due([rule]),
    ],
)
def test_what_somebody_takes_over_while_it_is_looked_at_stays_open(
    rule: Rule, monkeypatch: pytest.MonkeyPatch, nth: int, look: Callable[[str, str], bool]
) -> None:
    asked = list[str]()

    def take_over(name: str) -> Any:
        asked.append(name)
        if len(asked) == nth:
            for location in ("Harbour", "Haifa"):
                _written(rule, location, NEXT)
            _put(keeping.FRONTIERS, rule, {"begun": NEXT})
        return collection(name)

    (id, _) = (one["alert-id"] for one in keeping.open_alerts([rule.uuid.hex]).alerts)
    monkeypatch.setattr(keeping, "collection", take_over)
    assert look(rule.uuid.hex, id)
    assert set(asked) == {keeping.FRONTIERS, keeping.STATES}
