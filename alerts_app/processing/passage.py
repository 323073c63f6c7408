"""The passage of time in each partition, as Redis' clock and the writers' marks allow it."""

import time
from typing import Final

from messages_app.searching import passing
from messages_app.searching.passing import Passed
from relaybase.connections import shared_redis
from relaybase.redis import clock
from relaycore.layout import Layout
from relaycore.position import NEVER, milliseconds_of

_COMPARED_SECONDS: Final = 10.0


class Passage:
    """For the thread of the processor."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._ahead_ms = 0.0
        self._compared_at = float("-inf")
        self._marks: dict[int, str] = {}

    @property
    def now(self) -> float:
        """By Redis' clock, nearly: ms since 1970."""
        return time.monotonic() * 1000 + self._ahead_ms

    def compare(self) -> None:
        """See now and then what Redis' clock says.

        Raises:
            redis.RedisError: Redis does not answer.
        """
        if time.monotonic() - self._compared_at > _COMPARED_SECONDS:
            self._hear(clock.milliseconds(shared_redis()))

    def let_pass(self, partition: int, due: int) -> tuple[Passed, str] | None:
        """What Redis says, and the mark that was read before; None: that time has not come.

        Raises:
            Disconnected, PyMongoError: a server does not answer.
            UnfitServer: everything is divided otherwise by now.
        """
        # The mark first: it only grows.
        mark = self._marks.get(partition, NEVER)
        if milliseconds_of(mark) < due:
            mark = self._marks[partition] = passing.mark_of(partition)
        passed = passing.let_pass(partition, self._layout, due, mark)
        self._hear(passed.now)
        is_there = milliseconds_of(passed.last_id) >= due and milliseconds_of(mark) >= due
        return (passed, mark) if is_there else None

    def _hear(self, now: int) -> None:
        self._compared_at = time.monotonic()
        self._ahead_ms = now - self._compared_at * 1000
