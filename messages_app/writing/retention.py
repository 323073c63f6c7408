"""Deleting what is older than its channel keeps messages.

By position, whose first digits are a time, along the index (channel, position): no message
carries a date of its own end, so a change holds at once for what is stored already. In
batches, one after another: MongoDB deletes message by message, and has others to serve.

Up to where and how many is on record before each batch (`relaycore.storing.expiring`). Then
the counts are told, by the number that only grows: told twice they subtract once, and whoever
was killed is made up for by the next one. While what is stored is counted anew no batch begins.
"""

import logging
from collections.abc import Callable
from typing import Any, Final, cast

import redis
from pymongo.collection import Collection
from pymongo.errors import PyMongoError

from messages_app import expired
from messages_app.writing import tallies
from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis
from relaybase.redis import clock
from relaycore.errors import one_line
from relaycore.position import at_millisecond
from relaycore.storing.expiring import Expired

log = logging.getLogger(__name__)

_BATCH: Final = 5000

_COUNT_MILLISECONDS: Final = 2000


def older_than(keep_seconds: int) -> str:
    """The position below which messages are older than this, by Redis' clock, as positions are.

    Raises:
        redis.RedisError: Redis does not answer.
    """
    now = clock.milliseconds(shared_redis())
    return at_millisecond(now - keep_seconds * 1000)


def count_older(channel: str, keep_seconds: int) -> int | None:
    """How many messages of a channel are older than this; None: that is not known within two seconds."""
    try:
        old = {"channel": channel, "position": {"$lt": older_than(keep_seconds)}}
        return mongo_collection("messages").count_documents(old, maxTimeMS=_COUNT_MILLISECONDS)
    except (PyMongoError, redis.RedisError) as exc:
        log.warning(
            "it is not known how many messages are older: %s", one_line(exc), extra={"channel": channel}
        )
        return None


def expire(channel: str, partition: int, below: str, stopping: Callable[[], bool]) -> tuple[int, bool]:
    """Delete the messages of a channel with a position below `below`.

    A batch at least, and on until `stopping()`. How many there were, and whether there may be more.

    Raises:
        PyMongoError: MongoDB does not answer.
        redis.RedisError: Redis does not; the count of what is stored is put right the next time.
    """
    messages, records = mongo_collection("messages"), mongo_collection(expired.COLLECTION)
    total = 0
    while not _is_counting(partition):
        known = expired.read(records, channel)
        if known.going:  # Somebody was killed here, or is at it: two do no harm.
            total += _delete(messages, records, channel, partition, known)
            continue
        last, is_last = _end_of_batch(messages, channel, below)
        if last is None:
            _subtract(channel, partition, known)
            return total, False
        count = messages.count_documents({"channel": channel, "position": {"$lte": last}})
        begun = known.begin(last, count)
        if not expired.replace(records, channel, known, begun):
            continue
        total += _delete(messages, records, channel, partition, begun)
        if is_last:
            return total, False
        if stopping():
            return total, True
    return total, False


def _end_of_batch(messages: Collection[Any], channel: str, below: str) -> tuple[str | None, bool]:
    """The position of the last message of the next batch, None if there is none; whether no batch follows."""
    old = messages.find({"channel": channel, "position": {"$lt": below}}, {"_id": 0, "position": 1})
    if (last := next(old.sort("position", 1).skip(_BATCH - 1).limit(1), None)) is not None:
        return last["position"], False
    newest = next(old.clone().sort("position", -1).skip(0).limit(1), None)
    return None if newest is None else newest["position"], True


def _delete(
    messages: Collection[Any], records: Collection[Any], channel: str, partition: int, begun: Expired
) -> int:
    """Delete the batch that is under way; how many messages that were."""
    deleted = messages.delete_many({"channel": channel, "position": {"$lte": begun.upto}}).deleted_count
    ended = begun.end(deleted)
    if expired.replace(records, channel, begun, ended):
        _subtract(channel, partition, ended, begun.going + ended.messages - begun.messages)
    return deleted


def _subtract(channel: str, partition: int, record: Expired, last: int = 0) -> None:
    """From the counts, what they do not know of yet. `last`: so many were deleted just now."""
    if record.messages:
        named = keys.stored(partition), keys.expired(partition)
        before = record.messages - last
        shared_redis().eval(tallies.SUBTRACT, len(named), *named, channel, record.messages, before)


def _is_counting(partition: int) -> bool:
    (state,) = cast(list[bytes | None], shared_redis().hmget(keys.stored(partition), [tallies.STATE]))
    return state not in {None, tallies.WHOLE}
