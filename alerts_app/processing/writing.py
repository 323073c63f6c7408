"""Keeping what rules have come to: states, then frontiers, and then what is gone is deleted."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from bson import ObjectId
from pymongo import DeleteOne, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from alerts_app.keeping import FRONTIERS, STATES
from alerts_app.processing.fence import Fence
from alerts_app.processing.frontiers import InForce, document, frontier_id
from relaybase.connections import mongo_collection
from relaycore.alerting.items import Keep, KeptState
from relaycore.alerting.naming import alert_id
from relaycore.errors import LeaseLost

_DUPLICATE: Final = 11000

_Write = UpdateOne | DeleteOne


@dataclass(frozen=True, slots=True)
class Kept:
    """What is to be kept of one rule. `of`: so many shards have it; `outputs`: so many were stored."""

    rule: str
    keep: Keep
    in_force: InForce
    kind: str
    of: int
    outputs: int


def write(fence: Fence, kept: Sequence[Kept]) -> None:
    """All of it stands, when this returns. If it is cut short, the same is written once more.

    Raises:
        LeaseLost: a later term has begun.
        PyMongoError: MongoDB does not answer, or does not take all of it.
    """
    states, frontiers = mongo_collection(STATES), mongo_collection(FRONTIERS)
    _bulk(states, [write for one in kept for write in _states(fence, one)], fence)
    _bulk(frontiers, [_frontier(fence, one) for one in kept], fence)
    gone = [_gone(fence, one.rule, key, at) for one in kept for key, at in one.keep.gone.items()]
    _bulk(states, gone, fence)


def forget(rule: str) -> None:
    """Delete what is kept of a rule that is no more.

    Raises:
        PyMongoError: MongoDB does not answer.
    """
    for name in (FRONTIERS, STATES):
        mongo_collection(name).delete_many({"rule": rule})


def state_id(rule: str, key: str) -> ObjectId:
    """Of the state of a key. `rule`: its UUID as hex."""
    return ObjectId(blake2b(b"k" + bytes.fromhex(rule) + key.encode(), digest_size=12).digest())


def _states(fence: Fence, one: Kept) -> Iterator[_Write]:
    for key, state in one.keep.states.items():
        # Nothing falls: an earlier write whose answer was lost may arrive after a later one.
        as_known = {"_id": state_id(one.rule, key), "term": {"$lte": fence.term}, "at": {"$lte": state.at}}
        yield UpdateOne(as_known, {"$set": _state(fence, one, key, state)}, upsert=True)


def _state(fence: Fence, one: Kept, key: str, kept: KeptState) -> Mapping[str, Any]:
    kind, state = one.in_force.kind, kept.state
    shown = [] if state is None else kind.shown(state)
    return {
        "rule": one.rule,
        "key": key,
        "division": fence.division,
        "shard": fence.shard,
        "by_key": kind.is_by_key,
        "term": fence.term,
        "at": kept.at,
        "state": None if state is None else json.dumps(state),
        "due": None if state is None else kind.due(state),
        "alerts": [alert_id(one.rule, key, alert["opened"]) for alert in shown],
        "shown": json.dumps(shown) if shown else None,
    }


def _frontier(fence: Fence, one: Kept) -> _Write:
    frontier = one.keep.frontier
    as_known = {
        "_id": frontier_id(one.rule, fence),
        "term": {"$lte": fence.term},
        "position": {"$lte": frontier.position},
        "time": {"$lte": frontier.time},
    }
    said = document(one.rule, one.kind, frontier, one.in_force, fence, of=one.of, outputs=one.outputs)
    return UpdateOne(as_known, {"$set": said}, upsert=True)


def _gone(fence: Fence, rule: str, key: str, at: str) -> _Write:
    return DeleteOne({"_id": state_id(rule, key), "term": {"$lte": fence.term}, "at": at, "state": None})


def _bulk(collection: Collection[dict[str, Any]], writes: list[_Write], fence: Fence) -> None:
    if not writes:
        return
    try:
        collection.bulk_write(writes, ordered=False)
    except BulkWriteError as exc:
        errors = exc.details["writeErrors"]
        if exc.details.get("writeConcernErrors") or any(one["code"] != _DUPLICATE for one in errors):
            raise
        refused = [one["op"]["q"]["_id"] for one in errors]
        if collection.find_one({"_id": {"$in": refused}, "term": {"$gt": fence.term}}) is not None:
            raise LeaseLost(
                f"processor of shard {fence.shard}: a later term keeps what it has come to."
            ) from exc
        # Else what stands there is later, and of this term: an earlier answer was lost.
