"""What hears messages and stores them in MongoDB: Relay, or a peer."""

import time
from abc import ABC, abstractmethod
from typing import Any

import redis
from pymongo.collection import Collection

from benchmarks.load import Load, Shape, ids_in
from benchmarks.processes import Groups

HEARD_SECONDS = 60.0


class WrongResult(Exception):
    """What is stored is not what was published: no rate is worth printing."""


class Target(ABC):
    """Something to be loaded.

    name:       how it is called in the results
    collection: where it stores messages, in a field `message`, with their `channel`
    redis:      where they are published
    """

    def __init__(self, name: str, collection: Collection[Any], client: redis.Redis) -> None:
        self.name = name
        self.collection = collection
        self.redis = client

    @abstractmethod
    def processes(self) -> Groups:
        """Its processes and the servers'."""

    def tend(self) -> None:
        """Keep its processes running. Nothing to do where somebody else does."""
        return

    def close(self) -> None:
        """End the connections to MongoDB."""
        self.collection.database.client.close()

    def stored(self) -> int:
        """How many messages stand there, by MongoDB's own count: cheap enough to be asked all the time."""
        return int(self.collection.estimated_document_count())

    def empty(self) -> None:
        """Remove what is stored. The indexes are made anew, as they were."""
        indexes = self.collection.index_information()
        self.collection.drop()
        for name, index in indexes.items():
            if name != "_id_":
                self.collection.create_index(index["key"], name=name, unique=index.get("unique", False))

    def settle(self) -> None:
        """Have MongoDB write what it holds, as it does once a minute: else the next figure pays for it."""
        self.collection.database.client.admin.command("fsync")

    def wait_until_heard(self, shape: Shape) -> None:
        """Wait until somebody is subscribed to every channel."""
        deadline = time.monotonic() + HEARD_SECONDS
        while any(count == 0 for _, count in self.redis.pubsub_numsub(*shape.names)):
            if time.monotonic() > deadline:
                raise WrongResult(f"{self.name} does not listen to {shape.prefix}0 and the others.")
            self.tend()
            time.sleep(0.05)

    def stored_ids(self, load: Load) -> tuple[int, set[int]]:
        """How many of a load's messages stand there, and their ids."""
        prefix = load.shape.prefix
        where = {"channel": {"$gte": prefix, "$lt": prefix + "\uffff"}}
        count, found, wanted = 0, set[int](), load.ids
        for batch in self.collection.find_raw_batches(where, {"message": 1, "_id": 0}):
            ids = [id for id in ids_in(batch) if id in wanted]
            count += len(ids)
            found.update(ids)
        return count, found
