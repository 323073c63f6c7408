"""How far a rule has come, as MongoDB has it: one document for each division and shard."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from alerts_app.keeping import FRONTIERS
from alerts_app.processing.fence import Fence
from alerts_app.processing.known import KnownRule
from relaybase.connections import mongo_collection
from relaycore.alerting.dividing import Beginning, Part, Settings, are_passed, beginning
from relaycore.alerting.items import Frontier, Kind
from relaycore.alerting.rules import parse
from relaycore.errors import LeaseLost

_OF_FRONTIER: Final = ("position", "time", "revision", "unusable", "last_unusable")


@dataclass(frozen=True, slots=True)
class InForce:
    """The settings of a revision: JSON text, and read."""

    revision: int
    settings: str
    kind: Kind[Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Where one shard goes on.

    outputs: so many were stored in this division; earlier: what divisions before it have come to
    """

    frontier: Frontier
    in_force: InForce
    outputs: int
    earlier: Sequence[Part]


def in_force(rule: KnownRule) -> InForce:
    """What a rule is set to.

    Raises:
        BadRule: it cannot be; the text says why.
    """
    return InForce(rule.revision, json.dumps(rule.settings), parse(rule.kind, rule.settings))


def find(rule: KnownRule, wanted: InForce, fence: Fence, of: int) -> Found:
    """Of a rule that so many shards have. It stands in MongoDB when this returns.

    Else whoever comes later would not know under which settings anything was said.

    Raises:
        BadRule: what it was set to nobody can use any more.
        LeaseLost: a later term has begun with it.
        PyMongoError: MongoDB does not answer.
    """
    documents = list(mongo_collection(FRONTIERS).find({"rule": rule.uuid}))
    texts = {one["revision"]: one["settings"] for one in documents}
    found = parts(documents)
    earlier = [part for part in found if part.division < fence.division]
    today = [part for part in found if part.division == fence.division]
    mine = next((part for part in today if part.shard == fence.shard), None)
    if earlier and are_passed(earlier, today):
        mongo_collection(FRONTIERS).delete_many({"rule": rule.uuid, "division": {"$lt": fence.division}})
    if mine is not None:
        frontier, settings = mine.frontier, mine.settings
        outputs = next(one["outputs"] for one in documents if one["_id"] == frontier_id(rule.uuid, fence))
    else:
        frontier, settings = beginning(earlier, _fresh(rule, wanted))
        outputs = 0
    force = InForce(settings.revision, texts.get(settings.revision, wanted.settings), settings.kind)
    if mine is None:
        _begin(rule, frontier, force, fence, of)
    return Found(frontier, force, outputs, earlier)


def parts(documents: Iterable[Mapping[str, Any]]) -> list[Part]:
    """What the frontiers of one rule say.

    Raises:
        BadRule: they have settings that nobody can use any more.
    """
    known: dict[int, Settings] = {}
    found = []
    for one in documents:
        revision = one["revision"]
        if revision not in known:
            known[revision] = Settings(revision, parse(one["kind"], json.loads(one["settings"])))
        frontier = Frontier(**{name: one[name] for name in _OF_FRONTIER})
        of_shard = one["division"], one["shard"], one["of"]
        found.append(Part(*of_shard, one.get("begun", 0), frontier, known[revision]))
    return found


def frontier_id(rule: str, fence: Fence) -> str:
    """Of the document of this shard."""
    return f"{rule}:{fence.division}:{fence.shard}"


def document(
    rule: str, kind: str, frontier: Frontier, force: InForce, fence: Fence, *, of: int, outputs: int
) -> dict[str, Any]:
    """As it is kept, without its `_id`. `rule`: its UUID as hex; `kind`: the name."""
    return {
        "rule": rule,
        "division": fence.division,
        "shard": fence.shard,
        "of": of,
        "term": fence.term,
        "begun": fence.term,  # Other than `term` it stays as it is when a later division has begun.
        "position": frontier.position,
        "time": frontier.time,
        "kind": kind,
        "settings": force.settings,
        "revision": frontier.revision,
        "known_from": frontier.known_from,
        "unusable": frontier.unusable,
        "last_unusable": frontier.last_unusable,
        "outputs": outputs,
        "kept_at": datetime.now(UTC),
    }


def _fresh(rule: KnownRule, wanted: InForce) -> Beginning:
    frontier = Frontier(rule.position, int(rule.position[:13]), rule.revision)
    return Beginning(frontier, Settings(wanted.revision, wanted.kind))


def _begin(rule: KnownRule, frontier: Frontier, force: InForce, fence: Fence, of: int) -> None:
    made = document(rule.uuid, rule.kind, frontier, force, fence, of=of, outputs=0)
    try:
        mongo_collection(FRONTIERS).insert_one({"_id": frontier_id(rule.uuid, fence), **made})
    except DuplicateKeyError as exc:
        raise LeaseLost(f"rule {rule.uuid}: somebody of a later term has begun with it.") from exc
