"""What is looked up in Redis twice a second while something is published: its memory, and who listens.

Nobody looks while nothing is published. Then the first request looks before it appends, which costs it
one more answer of Redis.
"""

import logging
import re
import time
from collections.abc import Callable
from typing import Final

from messages_app.publishing.line import Line, Reply
from relaybase import keys

log = logging.getLogger(__name__)

FULL_FROM: Final = 0.8
"""Of `maxmemory`. The rest is for what listeners hear: it cannot be sent again."""

_LOOK_SECONDS: Final = 0.5

_TAKES: Final = 2
"""Bytes that Redis takes at most for one that is appended: its own form, and what waits for its file."""


class Looking:
    """For one `Line`.

    consumers: so many listen to the channel of the older kind
    """

    def __init__(self, line: Line) -> None:
        self._line = line
        self._looked_at = float("-inf")
        self._is_asking = self._was_full = False
        self._then: list[Callable[[], None]] = []
        self._used = self._most = self._noted = 0
        self.consumers = 0

    @property
    def is_full(self) -> bool:
        """Whether so much of Redis' memory is used that publishers have to wait."""
        return bool(self._most) and self._used >= FULL_FROM * self._most

    def note(self, size: int) -> None:
        """So many bytes were appended since it was looked at."""
        self._noted += size

    @property
    def is_due(self) -> bool:
        """Whether what is known is old; near the limit, whether anything was appended since."""
        may_use = self._used + _TAKES * self._noted
        is_near = bool(self._most and self._noted) and may_use >= FULL_FROM * self._most
        return is_near or time.monotonic() - self._looked_at >= _LOOK_SECONDS

    def look(self, then: Callable[[], None]) -> None:
        """Ask, unless that is under way. `then` is called with the answer, or where there is none."""
        if then not in self._then:
            self._then.append(then)
        if not self._is_asking:
            self._is_asking = True
            self._line.call(("PUBSUB", "NUMSUB", keys.LEGACY_CHANNEL), self._learn_consumers)
            self._line.call(("INFO", "memory"), self._learn_memory)

    def _learn_consumers(self, reply: Reply) -> None:
        self.consumers = int(reply[1]) if isinstance(reply, list) else 0

    def _learn_memory(self, reply: Reply) -> None:
        self._is_asking = False
        if isinstance(reply, bytes):
            self._looked_at = time.monotonic()
            self._noted = 0
            self._used, self._most = _number(reply, b"used_memory"), _number(reply, b"maxmemory")
            if self.is_full is not self._was_full:
                self._was_full = self.is_full
                what = "have to wait" if self.is_full else "go on"
                log.warning("Redis uses %d of %d bytes: publishers %s", self._used, self._most, what)
        elif not isinstance(reply, ConnectionError):
            # This user may not ask. A Redis that is full says so when it is appended.
            self._looked_at, self._most, self._noted = time.monotonic(), 0, 0
        waiting, self._then = self._then, []
        for then in waiting:
            then()


def _number(info: bytes, name: bytes) -> int:
    found = re.search(rb"^%s:([0-9]+)" % name, info, re.MULTILINE)
    return int(found[1]) if found else 0
