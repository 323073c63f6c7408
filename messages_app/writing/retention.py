"""Deleting what is older than its channel keeps messages.

By position, whose first digits are a time, along the index (channel, position): no message
carries a date of its own end, so a change holds at once for what is stored already. In
batches, one after another: MongoDB deletes message by message, and has others to serve.
"""

from collections.abc import Callable
from typing import Final

from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis

_BATCH: Final = 5000


def expire(channel: str, partition: int, below: str, stopping: Callable[[], bool]) -> tuple[int, bool]:
    """Delete the messages of a channel with a position below `below`.

    A batch at least, and on until `stopping()`. How many there were, and whether there may be more.

    Raises:
        PyMongoError: MongoDB does not answer.
        redis.RedisError: Redis does not; the count of what is stored is too high then.
    """
    messages = mongo_collection("messages")
    total = 0
    while True:
        old = {"channel": channel, "position": {"$lt": below}}
        ends = messages.find(old, {"_id": 0, "position": 1}).sort("position", 1).skip(_BATCH - 1).limit(1)
        last = next(ends, None)
        bound = {"$lte": last["position"]} if last else {"$lt": below}
        deleted = messages.delete_many({"channel": channel, "position": bound}).deleted_count
        if deleted:
            # After each batch: whoever is killed leaves the count too high by one at most.
            shared_redis().hincrby(keys.stored(partition), channel, -deleted)
        total += deleted
        if last is None:
            return total, False
        if stopping():
            return total, True
