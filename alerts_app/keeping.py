"""What processors keep of rules, as anybody may read it: how far each has come, and what is open.

It lives in MongoDB beside the messages, and is as durable as they are. Who writes it, and in which order, is
said in `alerts_app.processing`.

================  ==============================================================================
`rule_frontiers`  one document for each rule, division into shards, and shard
`rule_states`     one for each rule and key of which something is kept
================  ==============================================================================

A state that is nobody's (`owning`) is shown and counted nowhere.

Settings, states and what is shown of them are JSON texts: names in them may be such as MongoDB refuses.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from bson import ObjectId
from bson.errors import InvalidId

from alerts_app.owning import OF_FRONTIER, OF_STATE, Owners
from relaybase.mongo.reading import collection

FRONTIERS: Final = "rule_frontiers"
STATES: Final = "rule_states"
PROCESSORS: Final = "rule_processors"

MOST_PER_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class Stands:
    """How far a rule has come, in all its shards.

    position:  up to here all of them have taken everything
    time:      the same of timers, ms since 1970
    revision:  the least that is in force in any of them
    unusable:  so many messages could not be used; last_unusable: why not the last of them
    outputs:   so many were stored
    kept_at:   when the last of them was kept
    is_whole:  each shard has kept something in today's division
    """

    position: str
    time: int
    revision: int
    unusable: int
    last_unusable: str
    outputs: int
    kept_at: datetime
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what is open; `next`: after which the page after it begins, None if this is the last one.

    upto: by the id of each of them, the last cause that is in it
    """

    alerts: list[dict[str, Any]]
    next: str | None
    upto: Mapping[str, str]


def frontiers(rules: Iterable[str]) -> dict[str, Stands]:
    """Of these rules (UUIDs as hex) those that have come anywhere, by rule.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for document in collection(FRONTIERS).find({"rule": {"$in": list(rules)}}):
        found.setdefault(document["rule"], []).append(document)
    return {rule: _stands(newest_division(documents)) for rule, documents in found.items()}


def open_alerts(rules: Iterable[str], after: str | None = None, limit: int = 100) -> Page:
    """What these rules (UUIDs as hex) have open, in an order that stays: as `open_alert` says it.

    A page may have some more than `limit`, as all that is open of one key comes together, or fewer.

    Raises:
        ValueError: `after` is nothing that a page gave.
        PyMongoError: MongoDB does not answer.
    """
    uuids = list(rules)
    wanted: dict[str, Any] = {"rule": {"$in": uuids}, "shown": {"$ne": None}}
    if after is not None:
        try:
            wanted["_id"] = {"$gt": ObjectId(after)}
        except InvalidId as exc:
            raise ValueError(f"{after[:50]!r} is no cursor of a page of alerts.") from exc
    limit = max(1, min(limit, MOST_PER_PAGE))
    owners = _owners(uuids)
    found = list(collection(STATES).find(wanted).sort("_id", 1).limit(limit + 1))
    page = found[:limit]
    of_somebody = [one for one in page if not owners.is_left_over(one)]
    alerts = [alert for one in of_somebody for alert in _shown(one)]
    upto = {alert: one["at"] for one in of_somebody for alert in one["alerts"]}
    return Page(alerts, str(page[-1]["_id"]) if len(found) > limit else None, upto)


def open_alert(alert: str) -> dict[str, Any] | None:
    """One that is open: `alert-id`, `rule` (its UUID as hex), and what its kind shows; None: it is not open.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    states = collection(STATES)
    if (found := states.find_one({"alerts": alert}, {"rule": 1})) is None:
        return None
    owners = _owners([found["rule"]])
    document = states.find_one({"alerts": alert})
    shown = [] if document is None or owners.is_left_over(document) else _shown(document)
    return next((one for one in shown if one["alert-id"] == alert), None)


def count_open(rules: Iterable[str]) -> dict[str, int]:
    """How many of these rules (UUIDs as hex) have open, by rule; none: it is not in there.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    counted = collection(STATES).aggregate(
        [
            {"$match": {**_somebodys(rules), "shown": {"$ne": None}}},
            {"$group": {"_id": "$rule", "alerts": {"$sum": {"$size": "$alerts"}}}},
        ]
    )
    return {one["_id"]: one["alerts"] for one in counted}


def earliest_due(rules: Iterable[str]) -> dict[str, int]:
    """When the next timer of these rules (UUIDs as hex) is due, ms since 1970; none: it is not in there.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    found = collection(STATES).aggregate(
        [
            {"$match": {**_somebodys(rules), "due": {"$ne": None}}},
            {"$group": {"_id": "$rule", "due": {"$min": "$due"}}},
        ]
    )
    return {one["_id"]: one["due"] for one in found}


def least_times(rules: Iterable[str]) -> dict[str, int]:
    """Of these rules (UUIDs as hex) up to which time all their shards have come, ms since 1970.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for document in collection(FRONTIERS).find({"rule": {"$in": list(rules)}}):
        found.setdefault(document["rule"], []).append(document)
    times = {}
    for rule, documents in found.items():
        newest = newest_division(documents)
        # Where not all of today's shards have begun, those of before say where they will.
        is_whole = len(newest) >= max(one["of"] for one in newest)
        times[rule] = min(one["time"] for one in (newest if is_whole else documents))
    return times


def newest_division(documents: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the frontiers of one rule those of the newest division."""
    newest = max(document["division"] for document in documents)
    return [document for document in documents if document["division"] == newest]


def _owners(rules: Iterable[str]) -> Owners:
    return Owners(collection(FRONTIERS).find({"rule": {"$in": list(rules)}}, OF_FRONTIER))


def _somebodys(rules: Iterable[str]) -> dict[str, Any]:
    """A filter for all states of these rules but those that are nobody's."""
    uuids = list(rules)
    owners = _owners(uuids)
    suspects = owners.suspects()
    left = [
        # By its term too: an owner may have something to keep there meanwhile.
        {"_id": one["_id"], "term": one["term"]}
        for one in (collection(STATES).find({"$or": suspects}, OF_STATE) if suspects else ())
        if owners.is_left_over(one)
    ]
    return {"rule": {"$in": uuids}, **({"$nor": left} if left else {})}


def _stands(documents: Sequence[Mapping[str, Any]]) -> Stands:
    last = max(documents, key=lambda one: one["kept_at"])
    return Stands(
        position=min(one["position"] for one in documents),
        time=min(one["time"] for one in documents),
        revision=min(one["revision"] for one in documents),
        # Every shard reads all of the channel: each counts what it cannot use.
        unusable=max(one["unusable"] for one in documents),
        last_unusable=next((one["last_unusable"] for one in documents if one["last_unusable"]), ""),
        outputs=sum(one["outputs"] for one in documents),
        kept_at=last["kept_at"],
        is_whole=len(documents) >= max(one["of"] for one in documents),
    )


def _shown(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    shown: list[dict[str, Any]] = json.loads(document["shown"] or "[]")
    return [
        {"alert-id": alert, "rule": document["rule"], **one}
        for alert, one in zip(document["alerts"], shown, strict=True)
    ]
