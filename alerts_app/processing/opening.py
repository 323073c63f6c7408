"""Where a rule stands when a processor begins with it: its frontier, its states, the settings in force."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from alerts_app.keeping import STATES
from alerts_app.owning import WHOLE
from alerts_app.processing.fence import Fence
from alerts_app.processing.frontiers import InForce, find, in_force
from alerts_app.processing.known import KnownRule
from messages_app import beside
from messages_app.searching import passing
from relaybase.connections import mongo_collection, shared_redis
from relaycore.alerting.dividing import Earlier
from relaycore.alerting.items import Frontier, KeptState
from relaycore.alerting.naming import shard_of
from relaycore.alerting.times import known_from
from relaycore.storing.known import watermark


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
    kept = find(rule, wanted, fence, of)
    states = {
        one["key"]: KeptState(one["at"], None if one["state"] is None else json.loads(one["state"]))
        for one in mongo_collection(STATES).find(
            # What an earlier term adds now is not read: this one comes to the same by itself, and writes it.
            {"rule": rule.uuid, "division": fence.division, "shard": fence.shard, "term": fence.term}
        )
    }
    looked = beside.look(shared_redis(), partition)
    known = known_from(watermark(looked), looked.last_id, passing.mark_of(partition))
    frontier = replace(kept.frontier, known_from=known)
    earlier = Earlier(rule.uuid, kept.earlier) if kept.earlier else None
    return Standing(frontier, kept.in_force, states, shard, of, kept.outputs, earlier)
