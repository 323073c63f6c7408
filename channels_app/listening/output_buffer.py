"""An early warning before Redis cuts off a listener that reads too slowly.

What a subscriber has not read yet waits in Redis, and beyond `client-output-buffer-limit
pubsub` Redis ends the connection: all of it is lost to this listener. So each one asks
every few seconds, on its command connection, how much waits on its data connection.
"""

import logging
import re
from typing import Final

from channels_app.listening.outlet import Outlet, Reply
from relaycore.fitness import pubsub_limits

log = logging.getLogger(__name__)

EVERY_SECONDS: Final = 3.0
_OUTPUT_BYTES: Final = re.compile(rb"\bomem=([0-9]+)")


class OutputBuffer:
    """One warning for each stretch in which more than half of what Redis allows waits."""

    def __init__(self, outlet: Outlet, partition: int) -> None:
        self._outlet = outlet
        self._partition = partition
        self._next_at = 0.0
        self._limit = 0
        self._is_high = False

    def turn(self, now: float, client_id: int | None) -> None:
        """Ask, if it is time. `client_id`: of the data connection, as Redis counts them; None: not known."""
        if client_id is None or now < self._next_at or not self._outlet.is_open:
            return
        self._next_at = now + EVERY_SECONDS
        # The limit can be changed at any time. Who may not read it is told so at the start.
        self._outlet.call(("CONFIG", "GET", "client-output-buffer-limit"), self._learn_limit)
        self._outlet.call(("CLIENT", "LIST", "ID", client_id), self._judge)

    def _learn_limit(self, reply: Reply) -> None:
        limits = pubsub_limits(reply[1].decode()) if isinstance(reply, list) and len(reply) == 2 else None
        self._limit = min((limit for limit in limits or () if limit), default=0)

    def _judge(self, reply: Reply) -> None:
        found = _OUTPUT_BYTES.search(reply) if isinstance(reply, bytes) else None
        if found is None or not self._limit:
            return
        waiting = int(found[1])
        was_high, self._is_high = self._is_high, waiting > self._limit / 2
        if self._is_high and not was_high:
            log.warning(
                "partition %d: %.1f MiB wait in Redis for this listener, which reads too slowly. Beyond "
                "%.1f MiB Redis may cut it off, and all of it is lost to it (client-output-buffer-limit "
                "pubsub).",
                self._partition,
                waiting / (1 << 20),
                self._limit / (1 << 20),
            )
