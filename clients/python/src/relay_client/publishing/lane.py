"""The messages of one channel in their order. Decisions only, as in `outbox`."""

from collections import deque
from typing import Generic

from relay_client.errors import RelayError
from relay_client.publishing.outgoing import Handle, Limits, Outgoing


class Lane(Generic[Handle]):
    """What is sent anew, in its groups, then what waits."""

    def __init__(self, channel: str) -> None:
        self.channel = channel
        self.groups: deque[tuple[Outgoing[Handle], ...]] = deque()
        self.waiting: deque[Outgoing[Handle]] = deque()
        self.waiting_bytes = 0
        self.failures = 0
        self.error: RelayError | None = None
        self.not_before = float("-inf")
        self.is_under_way = False
        self.scheduled: float | None = None

    @property
    def is_empty(self) -> bool:
        return not self.groups and not self.waiting and not self.is_under_way

    def ready_at(self, limits: Limits, hurried_upto: int) -> float | None:
        """When the next batch may be sent. None: there is none, or one is under way.

        Of two that may be sent, the one whose first message came first is.
        """
        if self.is_under_way or self.is_empty:
            return None
        if self.groups:
            return max(self.groups[0][0].added_at, self.not_before)
        first = self.waiting[0]
        is_due = (
            first.number <= hurried_upto
            or len(self.waiting) >= limits.batch_messages
            or self.waiting_bytes >= limits.batch_bytes
        )
        return max(first.added_at if is_due else first.added_at + limits.linger_seconds, self.not_before)

    def first_expires_at(self) -> float:
        """When the oldest is too old. All of a lane become so in their order."""
        return self.groups[0][0].expires_at if self.groups else self.waiting[0].expires_at

    def put(self, message: Outgoing[Handle]) -> None:
        """At the end."""
        self.waiting.append(message)
        self.waiting_bytes += message.size

    def take(self, limits: Limits) -> tuple[Outgoing[Handle], ...]:
        """The next batch: a group as it is, else as much as one may have, and at least one message."""
        if self.groups:
            return self.groups.popleft()
        taken: list[Outgoing[Handle]] = []
        size = 0
        while self.waiting and len(taken) < limits.batch_messages:
            size += self.waiting[0].size
            if taken and size > limits.batch_bytes:
                break
            taken.append(self._pop())
        return tuple(taken)

    def take_expired(self, now: float) -> list[Outgoing[Handle]]:
        """Those that are too old."""
        found: list[Outgoing[Handle]] = []
        while self.groups and self.groups[0][0].expires_at <= now:
            group = self.groups.popleft()
            left = tuple(message for message in group if message.expires_at > now)
            found += [message for message in group if message.expires_at <= now]
            if left:
                self.groups.appendleft(left)
                break
        while not self.groups and self.waiting and self.waiting[0].expires_at <= now:
            found.append(self._pop())
        return found

    def _pop(self) -> Outgoing[Handle]:
        message = self.waiting.popleft()
        self.waiting_bytes -= message.size
        return message
