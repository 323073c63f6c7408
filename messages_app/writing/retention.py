"""Deleting what is older than its channel keeps messages.

By position, whose first digits are a time, along the index (channel, position): no message
carries a date of its own end, so a change holds at once for what is stored already. In
batches, until a deadline: what is left is for the next turn.
"""

import time
from typing import Final

from relayproject import keys
from relayproject.connections import mongo_collection, shared_redis

_BATCH: Final = 5000


def expire(channel: str, partition: int, below: str, deadline: float) -> int:
    """Delete the messages of a channel with a position below `below`; how many there were.

    deadline: monotonic seconds

    Raises:
        PyMongoError: MongoDB does not answer.
        redis.RedisError: Redis does not; the count of what is stored is too high then.
    """
    messages = mongo_collection("messages")
    deleted, more = 0, True
    while more and time.monotonic() < deadline:
        old = {"channel": channel, "position": {"$lt": below}}
        last = next(messages.find(old, {"position": 1}).sort("position", 1).skip(_BATCH - 1).limit(1), None)
        more = last is not None
        bound = {"$lte": last["position"]} if last else {"$lt": below}
        deleted += messages.delete_many({"channel": channel, "position": bound}).deleted_count
    if deleted:
        shared_redis().hincrby(keys.stored(partition), channel, -deleted)
    return deleted
