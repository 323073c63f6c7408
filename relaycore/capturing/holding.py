"""What a standby holds: everything it hears that the leader may not have appended yet.

Cut at the ticks. What stands before a tick is let go as soon as the leader has
confirmed that tick, so of a healthy leader a standby holds about two ticks' worth.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

_PUSH_BYTES: Final = 260
"""What Python needs for the list and the three objects of one reply, beside their bytes."""

Chunk = tuple[int, Sequence[Any]]
"""When a read brought them (ms since 1970), and replies of a Pub/Sub connection."""


@dataclass(slots=True)
class _Bucket:
    """What came from one tick on, its push included. `number` is 0 before the first tick."""

    number: int
    chunks: list[Chunk] = field(default_factory=list)
    size: int = 0


class Hold:
    """Holds at most about `most_bytes` of memory."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._buckets: deque[_Bucket] = deque([_Bucket(0)])
        self.size = 0

    @property
    def first(self) -> int:
        """The tick with which what is held begins; 0 if it begins before the first one that was heard."""
        return self._buckets[0].number

    @property
    def whole_from(self) -> int | None:
        """The tick from which on everything is held; None if no tick was heard."""
        first = self._buckets[0]
        if first.number:
            return first.number
        return self._buckets[1].number if len(self._buckets) > 1 else None

    def restart(self) -> None:
        """Begin anew: a new connection, or something was missed."""
        self._buckets = deque([_Bucket(0)])
        self.size = 0

    def begin(self, number: int) -> None:
        """What is added from here on, beginning with the tick itself, came after what was added so far."""
        self._buckets.append(_Bucket(number))

    def add(self, at_ms: int, pushes: Sequence[Any], size: int) -> bool:
        """Hold what one read brought, `size` bytes; False if it was too much and all was let go."""
        size += _PUSH_BYTES * len(pushes)
        self.size += size
        last = self._buckets[-1]
        last.chunks.append((at_ms, pushes))
        last.size += size
        if self.size <= self._most_bytes:
            return True
        self.restart()
        return False

    def confirm(self, number: int) -> None:
        """Let go what stands before the tick of this number: it is on the stream."""
        while len(self._buckets) > 1 and self._buckets[1].number <= number:
            self.size -= self._buckets.popleft().size

    def take(self) -> list[Chunk]:
        """Everything, in order. Nothing is held any more."""
        chunks = [chunk for bucket in self._buckets for chunk in bucket.chunks]
        self.restart()
        return chunks
