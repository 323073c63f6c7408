"""Looks at the servers beside the writing: how the writer is, for its lease."""

import logging
from typing import Final

from leases_app.leasing import Condition
from leases_app.rounds import Rounds
from relaybase.connections import shared_redis
from relaybase.watching import Soundness, Watch, watch_mongo, watch_shape
from relaycore.fitness import of_redis

log = logging.getLogger(__name__)

STUCK: Final = "It gets nothing stored, although Redis and MongoDB answer. Its log says what it is refused."


_SERVERS: Final = 2
"""The first ones that are looked at. The others are about what is in them."""


class Lookout:
    """For the heartbeat, which asks right before each beat: the writing itself may wait for MongoDB for long.

    The limit for subscribers of Redis is not looked at: it concerns who hears.

    What a writer may be refused has no end: a right on one collection, a view in the place of another, a
    disk that is full, a command in Redis. So what counts is whether it gets on, which it tells by `got_on`.
    """

    def __init__(self, partition: int) -> None:
        self._partition = partition
        redis = Watch("Redis", lambda: of_redis(shared_redis().info()))
        self._watches = (redis, watch_mongo(), watch_shape())
        self._soundness = Soundness()
        self._trouble = ""
        self._rounds = Rounds()

    def got_on(self) -> None:
        """Nothing holds the writer up. For its main loop."""
        self._rounds.come()

    def condition(self) -> Condition:
        """What speaks against the servers. Never waits."""
        seen = [watch.glance().findings for watch in self._watches]
        # One that does not answer is away, which is said elsewhere.
        self._soundness.learn(finding for findings in seen for finding in findings or ())
        is_stuck = self._rounds.are_held_up and None not in seen[:_SERVERS]
        trouble = " ".join(filter(None, (STUCK * is_stuck, self._soundness.trouble)))
        if trouble not in {"", self._trouble}:
            log.error("partition %d: %s", self._partition, trouble)
        self._trouble = trouble
        return Condition(trouble=trouble)
