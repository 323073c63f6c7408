"""Looks at the servers beside the writing: how the writer is, for its lease."""

import logging

from leases_app.leasing import Condition
from relaybase.connections import shared_redis
from relaybase.watching import Soundness, Watch, watch_mongo, watch_shape
from relaycore.fitness import of_redis

log = logging.getLogger(__name__)


class Lookout:
    """For the heartbeat, which asks right before each beat: the writing itself may wait for MongoDB for long.

    The limit for subscribers of Redis is not looked at: it concerns who hears.
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition
        redis = Watch("Redis", lambda: of_redis(shared_redis().info()))
        self._watches = (redis, watch_mongo(), watch_shape())
        self._soundness = Soundness()

    def condition(self) -> Condition:
        """What speaks against the servers. Never waits."""
        before = self._soundness.trouble
        seen = [watch.glance().findings for watch in self._watches]
        # One that does not answer is away, which is said elsewhere.
        self._soundness.learn(finding for findings in seen for finding in findings or ())
        if (trouble := self._soundness.trouble) not in {"", before}:
            log.error("partition %d: %s", self._partition, trouble)
        return Condition(trouble=trouble)
