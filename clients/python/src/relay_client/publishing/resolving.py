"""What both producers need besides the outbox: keys, flushes, and a word in the log. No I/O, no lock."""

import itertools
import logging
import secrets
from collections import Counter
from collections.abc import Sequence
from typing import Any

from relay_client.errors import Undelivered
from relay_client.publishing.outgoing import Outgoing, Settled


class Keys:
    """Idempotency keys: chance for each producer, and a number for each of its messages."""

    def __init__(self) -> None:
        self._own = secrets.token_urlsafe(16)
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """One that was never given. Threads may ask at the same time."""
        return f"{self._own}.{next(self._numbers)}"


class Flush:
    """What somebody waits for."""

    def __init__(self, upto: int, left: int) -> None:
        self.upto = upto
        self.left = left

    @property
    def is_done(self) -> bool:
        """Whether everything is resolved that was sent before."""
        return self.left == 0


class Unresolved:
    """How many messages nobody was told about yet, and who waits for that.

    The numbers are those that the outbox gave: they grow in the order in which messages were added.
    """

    def __init__(self) -> None:
        self._upto = 0
        self._left = 0
        self._flushes: list[Flush] = []

    def add(self, message: Outgoing[Any]) -> None:
        """One more, which the outbox has."""
        self._upto = message.number
        self._left += 1

    def gone(self, settled: Sequence[Settled[Any]]) -> None:
        """These are resolved."""
        self._left -= len(settled)
        for flush in self._flushes:
            flush.left -= sum(each.message.number <= flush.upto for each in settled)

    def flush(self) -> Flush:
        """From now on watch those that were added before."""
        flush = Flush(self._upto, self._left)
        self._flushes.append(flush)
        return flush

    def forget(self, flush: Flush) -> None:
        """Nobody waits for it any more."""
        self._flushes.remove(flush)


def tell(log: logging.Logger, settled: Sequence[Settled[Any]]) -> None:
    """One line for each channel and reason of what was not delivered, without texts and keys."""
    reasons = Counter(
        (each.message.channel, str(each.result.reason))
        for each in settled
        if isinstance(each.result, Undelivered)
    )
    for (channel, reason), count in reasons.items():
        log.error("Not delivered to %r: %d, because of %s", channel, count, reason)
