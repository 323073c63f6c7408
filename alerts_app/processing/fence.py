"""Who has a shard of the rules now, in MongoDB and in Redis: what keeps out a processor that was frozen."""

import logging
from typing import Any, Final, cast

import redis
from django.conf import settings
from pymongo import DeleteOne, ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.errors import DuplicateKeyError

from alerts_app.keeping import FRONTIERS, PROCESSORS, STATES
from alerts_app.owning import OF_FRONTIER, OF_STATE, Owners, key_of
from relaybase import keys
from relaybase.connections import mongo_collection, shared_redis
from relaybase.redis import fencing
from relaycore.alerting.naming import shard_of
from relaycore.errors import Disconnected, LeaseLost, one_line

log = logging.getLogger(__name__)

_DIVISION: Final = "division"

_AT_ONCE: Final = 1000


def highest_epoch(shard: int) -> int:
    """Of all processors of a shard, so that the next one claims above. PostgreSQL may have gone back.

    Raises:
        PyMongoError, redis.RedisError: nobody can say it, or begin, now.
    """
    found = mongo_collection(PROCESSORS).find_one({"_id": str(shard)}) or {}
    return max(fencing.epoch_of(found.get("term", 0)), *map(fencing.epoch_of, _fences().values()), 0)


class Fence:
    """One term of one shard.

    division: of the rules into shards, and `term`: by what everything is marked that is kept under it
    """

    def __init__(self, shard: int, shards: int, epoch: int) -> None:
        self.shard = shard
        self.shards = shards
        self._epoch = epoch
        self.division = self.term = 0

    def begin(self) -> None:
        """From here on nobody of an earlier term appends or keeps anything.

        Raises:
            LeaseLost: a later one has begun.
            Disconnected, PyMongoError: a server does not answer.
        """
        self.division = self._divide()
        self.term = fencing.term_number(self.division, self._epoch)
        stamped = self._claim()
        for partition in range(settings.RELAY_PARTITIONS):
            self._put_up(partition)
        self._take_over(stamped)
        mongo_collection(PROCESSORS).update_one(
            {"_id": str(self.shard), "term": self.term}, {"$set": {"stamped": self.term}}
        )

    def put_up(self, partition: int) -> None:
        """Redis has another fence, or none: it is put up again, if this term goes on.

        Raises:
            LeaseLost: it does not.
            Disconnected, PyMongoError: a server does not answer.
        """
        processors = mongo_collection(PROCESSORS)
        is_mine = processors.find_one({"_id": str(self.shard), "term": self.term}) is not None
        if not is_mine or not processors.find_one({"_id": _DIVISION, "division": self.division}):
            raise self._lost()
        self._put_up(partition)

    # --- inside --------------------------------------------------------------------------

    def _divide(self) -> int:
        """The number of this division: another number of shards makes another one."""
        processors = mongo_collection(PROCESSORS)
        while True:
            known = processors.find_one({"_id": _DIVISION}) or {"division": 0, "shards": None}
            # MongoDB may have gone back: what stands in Redis is later then.
            least = max([known["division"], *map(fencing.division_of, _fences().values())])
            if known["shards"] == self.shards and known["division"] == least:
                return int(least)
            try:
                processors.update_one(
                    {"_id": _DIVISION, "division": known["division"]},
                    {"$set": {"division": least + 1, "shards": self.shards}},
                    upsert=True,
                )
            except DuplicateKeyError:
                log.debug("shard %d: somebody else was quicker to divide the rules", self.shard)

    def _claim(self) -> int:
        """The term to which belongs what is kept of this shard."""
        try:
            before = mongo_collection(PROCESSORS).find_one_and_update(
                {"_id": str(self.shard), "term": {"$lte": self.term}},
                {"$set": {"term": self.term, "division": self.division}},
                upsert=True,
                return_document=ReturnDocument.BEFORE,
            )
        except DuplicateKeyError:
            raise self._lost() from None
        return int((before or {}).get("stamped") or 0)

    def _put_up(self, partition: int) -> None:
        command = fencing.put_up_command(partition, shard=self.shard, term=self.term)
        try:
            if not cast(Any, shared_redis()).execute_command(*command):
                raise self._lost()
        except redis.RedisError as exc:
            raise Disconnected(f"Redis does not take a fence: {one_line(exc)}") from exc

    def _take_over(self, stamped: int) -> None:
        """What is kept belongs to this term from now on, so that nobody of an earlier one changes it.

        A processor that is frozen in the midst of writing may still add a state which was not there. It was
        not read then: the term that had begun has found it anew by itself. So it is nobody's, and goes.
        """
        mine = {"division": self.division, "shard": self.shard}
        states, frontiers = mongo_collection(STATES), mongo_collection(FRONTIERS)
        states.delete_many({**mine, "term": {"$lt": stamped}})
        of_earlier = {"term": {"$lt": self.term}}
        for collection in (states, frontiers):
            collection.update_many({**mine, **of_earlier}, {"$set": {"term": self.term}})
        # Of earlier divisions only looked at, but for the states whose keys are in this shard by now.
        frontiers.update_many(
            {"division": {"$lt": self.division}, **of_earlier}, {"$set": {"term": self.term}}
        )
        self._adopt(states)

    def _adopt(self, states: Collection[dict[str, Any]]) -> None:
        """The states of earlier divisions whose keys are in this shard by now; what is nobody's goes."""
        owners = Owners(mongo_collection(FRONTIERS).find({}, OF_FRONTIER))
        writes: list[UpdateOne | DeleteOne] = []
        belongs = {"$set": {"term": self.term, "division": self.division, "shard": self.shard}}
        for one in states.find({"division": {"$lt": self.division}}, OF_STATE):
            if shard_of(one["rule"], key_of(one), self.shards) != self.shard:
                continue
            as_found = {name: one[name] for name in ("_id", "division", "term")}
            if owners.is_left_over(one):
                writes.append(DeleteOne(as_found))
            else:
                writes.append(UpdateOne({"_id": one["_id"], "term": {"$lt": self.term}}, belongs))
        for begin in range(0, len(writes), _AT_ONCE):
            states.bulk_write(writes[begin : begin + _AT_ONCE], ordered=False)

    def _lost(self) -> LeaseLost:
        return LeaseLost(f"processor of shard {self.shard}, epoch {self._epoch}: a later one has begun.")


def _fences() -> dict[str, int]:
    """What stands in Redis as terms, by partition and shard."""
    found: dict[str, int] = {}
    for partition in range(settings.RELAY_PARTITIONS):
        stands = cast(dict[bytes, bytes], shared_redis().hgetall(keys.fence(partition)))
        for shard, term in stands.items():
            found[f"{partition} {shard.decode()}"] = fencing.term_of(term)
    return found
