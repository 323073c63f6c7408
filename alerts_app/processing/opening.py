"""Where a rule stands when a processor begins with it: its frontier, its states, the settings in force."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from alerts_app.keeping import FRONTIERS, STATES
from alerts_app.processing.fence import WHOLE, Fence
from alerts_app.processing.known import KnownRule
from messages_app import beside
from messages_app.searching import passing
from relaybase.connections import mongo_collection, shared_redis
from relaycore.alerting.dividing import Earlier, Part, Settings
from relaycore.alerting.items import Frontier, KeptState, Kind
from relaycore.alerting.naming import shard_of
from relaycore.alerting.rules import parse
from relaycore.alerting.times import known_from
from relaycore.errors import LeaseLost
from relaycore.storing.known import watermark

_SET: Final = ("revision", "kind", "settings")
_FURTHER: Final = ("position", "time", "revision")
_OF_FRONTIER: Final = ("position", "time", "revision", "unusable", "last_unusable")


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings of a revision: JSON text, and read."""

    revision: int
    settings: str
    kind: Kind[Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a rule stands in one shard.

    of:      so many shards have the rule; `shard`: which one this is of them
    earlier: what earlier divisions have come to, as long as one of them may be further than this one
    outputs: so many were stored
    """

    frontier: Frontier
    in_force: InForce
    states: Mapping[str, KeptState]
    shard: int
    of: int
    outputs: int
    earlier: Earlier | None = None


def in_force(rule: KnownRule) -> InForce:
    """What a rule is set to.

    Raises:
        BadRule: it cannot be; the text says why.
    """
    return InForce(rule.revision, json.dumps(rule.settings), parse(rule.kind, rule.settings))


def stand(rule: KnownRule, partition: int, fence: Fence) -> Standing | None:
    """Where it stands, for who has the shard; None: another shard has all of it.

    It is read after the fence has been put up, and so nothing of what an earlier term has said comes later.

    Raises:
        BadRule: it cannot be what it is set to.
        LeaseLost: a later term has begun.
        PyMongoError, redis.RedisError: a server does not answer.
    """
    wanted = in_force(rule)
    shard, of = fence.shard, fence.shards
    if not wanted.kind.is_by_key:
        if shard_of(rule.uuid, WHOLE, fence.shards) != fence.shard:
            return None
        shard, of = 0, 1
    documents = list(mongo_collection(FRONTIERS).find({"rule": rule.uuid}))
    document = _frontier(rule, documents, fence, of) or _begin(rule, wanted, fence, of)
    force = wanted
    if document["revision"] != rule.revision:
        settings = document["settings"]
        force = InForce(document["revision"], settings, parse(document["kind"], json.loads(settings)))
    states = {
        one["key"]: KeptState(one["at"], None if one["state"] is None else json.loads(one["state"]))
        for one in mongo_collection(STATES).find(
            # What an earlier term adds now is not read: this one comes to the same by itself, and writes it.
            {"rule": rule.uuid, "division": fence.division, "shard": fence.shard, "term": fence.term}
        )
    }
    found = beside.look(shared_redis(), partition)
    frontier = Frontier(
        **{name: document[name] for name in _OF_FRONTIER},
        known_from=known_from(watermark(found), found.last_id, passing.mark_of(partition)),
    )
    earlier = _earlier(rule.uuid, [one for one in documents if one["division"] < fence.division])
    return Standing(frontier, force, states, shard, of, document["outputs"], earlier)


def _earlier(rule: str, documents: Sequence[Mapping[str, Any]]) -> Earlier | None:
    if not documents:
        return None
    settings = {
        one["revision"]: Settings(one["revision"], parse(one["kind"], json.loads(one["settings"])))
        for one in documents
    }
    parts = [
        Part(
            **{name: one[name] for name in ("division", "shard", "of", "position", "time")},
            settings=settings[one["revision"]],
        )
        for one in documents
    ]
    return Earlier(rule, parts)


def frontier_id(rule: str, fence: Fence) -> str:
    """Of the document of this shard."""
    return f"{rule}:{fence.division}:{fence.shard}"


def least(documents: Sequence[Mapping[str, Any]], id: str, division: int) -> Mapping[str, Any] | None:
    """The frontier from which a shard goes on, of all that a rule has had in any division.

    Its own of this division, or else the least of the division before, with the least settings that were in
    force there (`relaycore.alerting.dividing`). A shard of that which had not begun yet stands where the one
    before has left it, and so on.
    """
    own = next((one for one in documents if one["_id"] == id), None)
    if own is not None:
        return own
    known: Mapping[str, Any] | None = None
    for earlier in sorted({one["division"] for one in documents if one["division"] < division}):
        of_it = [one for one in documents if one["division"] == earlier]
        if known is not None and len(of_it) < of_it[0]["of"]:
            of_it.append(known)
        least_set = min(of_it, key=lambda one: int(one["revision"]))
        known = min(of_it, key=lambda one: (one["position"], one["time"]))
        known = {**known, **{name: least_set[name] for name in _SET}}
    return known


def _frontier(
    rule: KnownRule, documents: Sequence[Mapping[str, Any]], fence: Fence, of: int
) -> Mapping[str, Any] | None:
    id = frontier_id(rule.uuid, fence)
    found = least(documents, id, fence.division)
    if found is not None and found["_id"] != id:
        return _write(rule.uuid, fence, of, {**found, "outputs": 0})
    today = [one for one in documents if one["division"] == fence.division]
    earlier = [one for one in documents if one["division"] < fence.division]
    if (
        earlier
        and len(today) == of
        and all(min(one[name] for one in today) >= max(one[name] for one in earlier) for name in _FURTHER)
    ):
        # Everybody has begun in this division, and is further: those before are of no use any more.
        mongo_collection(FRONTIERS).delete_many({"rule": rule.uuid, "division": {"$lt": fence.division}})
    return found


def _begin(rule: KnownRule, force: InForce, fence: Fence, of: int) -> Mapping[str, Any]:
    """It stands before anything is said: who comes later must know under which settings that was."""
    fresh = {
        "position": rule.position,
        "time": int(rule.position[:13]),
        "kind": rule.kind,
        "settings": force.settings,
        "revision": rule.revision,
        "known_from": "",
        "unusable": 0,
        "last_unusable": "",
        "outputs": 0,
    }
    return _write(rule.uuid, fence, of, fresh)


def _write(uuid: str, fence: Fence, of: int, document: Mapping[str, Any]) -> Mapping[str, Any]:
    id = frontier_id(uuid, fence)
    of_shard = {"rule": uuid, "division": fence.division, "shard": fence.shard, "of": of, "term": fence.term}
    try:
        mongo_collection(FRONTIERS).insert_one(
            written := {**document, "_id": id, **of_shard, "kept_at": datetime.now(UTC)}
        )
    except DuplicateKeyError as exc:
        raise LeaseLost(f"rule {uuid}: somebody of a later term has begun with it.") from exc
    return written
