"""One processor in one term: it claims its shard, fences it in, works, and gives it back."""

from collections.abc import Callable

import redis
from pymongo.errors import PyMongoError

from alerts_app.processing.fence import Fence, highest_epoch
from alerts_app.processing.working import Working
from leases_app import endless, partitioning
from leases_app.sharding import PROCESSORS
from relaybase import logs
from relaycore.errors import Disconnected, one_line


def process(shard: int, stopping: Callable[[], bool], task_id: str = "") -> bool:
    """Process the rules of a shard until `stopping()`; False at once if somebody else does.

    Raises:
        UnfitServer: processors run that divide the rules into another number of shards; or the partitions are
            not this deployment's any more.
        LeaseLost: a later term has begun.
        Disconnected: MongoDB or Redis does not answer, so that nobody can begin.
    """
    with logs.about(shard=shard, task_id=task_id):
        try:
            above = highest_epoch(shard)
        except (PyMongoError, redis.RedisError) as exc:
            raise Disconnected(f"Nobody can begin to process rules now: {one_line(exc)}") from exc
        term = PROCESSORS.claim(shard, task_id, above=above)
        if term is None:
            return False
        fence = Fence(shard, PROCESSORS.shards, term.epoch)
        working = Working(fence, partitioning.layout())
        beating = endless.under(term, "processing", working.condition)
        with endless.rare_collections(), beating as heartbeat:
            try:
                fence.begin()
            except (PyMongoError, redis.RedisError) as exc:
                raise Disconnected(f"Nobody can begin to process rules now: {one_line(exc)}") from exc
            working.run(lambda: stopping() or heartbeat.lost)
        return True
