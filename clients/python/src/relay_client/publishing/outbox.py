"""What a producer holds, and when it sends what. Decisions only: no I/O, no clock, no chance, no lock.

A message waits in the lane of its channel. A lane gives a `Batch` when it has enough messages or bytes,
when its first message has waited for `linger_seconds`, or when all is wanted at once (`hurry`). A lane has
at most one batch under way, so a channel keeps its order; over all there are at most `most_under_way`.

What an attempt has come to is an outcome:

    Accepted    the batch is done; a receipt for each message
    Refused     none of it is stored: all of it is done, or with an index that message alone, and the rest
                is sent anew
    TooMuch     none of it is stored: it is sent anew in two halves, down to single messages
    Again       perhaps some of it is stored: it is sent anew after a while, until it is too old

Nothing is lost: a message stays here until it is settled, with a receipt or an `Undelivered`.
Nothing is doubled: a message keeps its idempotency key, in whatever batch it is sent.
Nothing grows without bound: `has_room` says whether another one may be added.
"""

import heapq
import itertools
from typing import Generic

from relay_client.backoff import delay
from relay_client.errors import RelayError, Undelivered
from relay_client.publishing.lane import Lane
from relay_client.publishing.outgoing import (
    Accepted,
    Again,
    Batch,
    Handle,
    Limits,
    Outcome,
    Outgoing,
    Receipt,
    Refused,
    Settled,
    TooMuch,
)


class Outbox(Generic[Handle]):
    """All lanes. Times are seconds of any clock that does not go back."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._lanes: dict[str, Lane[Handle]] = {}
        self._lingering: dict[str, Lane[Handle]] = {}
        """Those of them that were added to since the last `hurry`: no other has anything to hurry."""
        self._agenda: list[tuple[float, int, Lane[Handle]]] = []
        """When to look at which lane; an entry counts only while it is what its lane has `scheduled`."""
        self._tickets = itertools.count()
        self._under_way: set[Batch[Handle]] = set()
        self._numbered = 0
        self._hurried_upto = 0
        self.messages = 0
        self.bytes = 0

    def has_room(self, line: bytes) -> bool:
        """Whether this one may be added."""
        return (
            self.messages < self.limits.buffer_messages and self.bytes + len(line) <= self.limits.buffer_bytes
        )

    def can_hold(self, line: bytes) -> bool:
        """Whether it could if there were nothing else."""
        return len(line) <= self.limits.buffer_bytes

    def add(self, message: Outgoing[Handle], now: float) -> None:
        """One more. Whether there is room is asked before."""
        self._numbered += 1
        message.number = self._numbered
        message.added_at = now
        message.expires_at = now + self.limits.delivery_seconds
        self.messages += 1
        self.bytes += len(message.line)
        lane = self._lanes.setdefault(message.channel, Lane(message.channel))
        lane.put(message)
        self._lingering[message.channel] = lane
        self._schedule(lane)

    def hurry(self) -> None:
        """Nothing that is here lingers any more.

        This is called at each wake-up while there is no room, so it costs as much as was added since the
        last time, and not as much as there is. In every other lane the first message was hurried then.
        """
        self._hurried_upto = self._numbered
        for lane in self._lingering.values():
            self._schedule(lane)
        self._lingering.clear()

    def look_at(self) -> float | None:
        """When `step` has something to do. None: not before something happens."""
        while self._agenda and self._agenda[0][2].scheduled != self._agenda[0][0]:
            heapq.heappop(self._agenda)
        if not self._agenda or len(self._under_way) >= self.limits.most_under_way:
            return None
        return self._agenda[0][0]

    def step(self, now: float) -> tuple[Batch[Handle] | None, list[Settled[Handle]]]:
        """A batch to send now, and what was too old. Neither: look again at `look_at`."""
        settled: list[Settled[Handle]] = []
        while (at := self.look_at()) is not None and at <= now:
            lane = heapq.heappop(self._agenda)[2]
            lane.scheduled = None
            settled += [self._too_old(lane, message) for message in lane.take_expired(now)]
            ready_at = lane.ready_at(self.limits, self._hurried_upto)
            if ready_at is not None and ready_at <= now:
                batch = Batch(lane.channel, lane.take(self.limits))
                lane.is_under_way = True
                self._under_way.add(batch)
                return batch, settled
            self._schedule(lane)
        return None, settled

    def answered(
        self, batch: Batch[Handle], outcome: Outcome, now: float, chance: float
    ) -> list[Settled[Handle]]:
        """What an attempt has come to; the messages that are done. `chance`: from 0 to 1."""
        if batch not in self._under_way:
            return []  # Given up meanwhile.
        self._under_way.remove(batch)
        lane = self._lanes[batch.channel]
        lane.is_under_way = False
        if isinstance(outcome, Again):
            settled = self._again(lane, batch, outcome, now, chance)
        else:
            lane.failures = 0
            lane.error = None
            settled = self._decided(lane, batch.messages, outcome)
        self._schedule(lane)
        return settled

    def give_up(self, reason: RelayError) -> list[Settled[Handle]]:
        """Everything, also what is under way: that may be stored."""
        for batch in self._under_way:
            for message in batch.messages:
                message.may_be_stored = True
        flying = [message for batch in self._under_way for message in batch.messages]
        kept = [
            message
            for lane in self._lanes.values()
            for group in (*lane.groups, lane.waiting)
            for message in group
        ]
        self._under_way.clear()
        self._lanes.clear()
        self._lingering.clear()
        self._agenda.clear()
        found = sorted(flying + kept, key=lambda message: message.number)
        return [self._undelivered(message, reason) for message in found]

    # --- what an outcome does ---------------------------------------------------------------

    def _decided(
        self,
        lane: Lane[Handle],
        messages: tuple[Outgoing[Handle], ...],
        outcome: Accepted | Refused | TooMuch,
    ) -> list[Settled[Handle]]:
        if isinstance(outcome, Accepted):
            return [
                self._settle(message, receipt)
                for message, receipt in zip(messages, outcome.receipts, strict=True)
            ]
        if isinstance(outcome, TooMuch) and len(messages) > 1:
            middle = len(messages) // 2
            lane.groups.extendleft((messages[middle:], messages[:middle]))
            return []
        if isinstance(outcome, Refused) and outcome.index is not None and outcome.index < len(messages):
            blamed = messages[outcome.index]
            if rest := tuple(message for message in messages if message is not blamed):
                lane.groups.appendleft(rest)
            return [self._undelivered(blamed, outcome.error)]
        return [self._undelivered(message, outcome.error) for message in messages]

    def _again(
        self, lane: Lane[Handle], batch: Batch[Handle], outcome: Again, now: float, chance: float
    ) -> list[Settled[Handle]]:
        if outcome.may_be_stored:
            for message in batch.messages:
                message.may_be_stored = True
        lane.groups.appendleft(batch.messages)
        lane.failures += 1
        lane.error = outcome.error
        lane.not_before = now + delay(lane.failures, chance, outcome.asked)
        return [self._too_old(lane, message) for message in lane.take_expired(now)]

    def _too_old(self, lane: Lane[Handle], message: Outgoing[Handle]) -> Settled[Handle]:
        waited = f"It was not delivered within {self.limits.delivery_seconds:g} s."
        return self._undelivered(message, lane.error or RelayError(waited))

    def _undelivered(self, message: Outgoing[Handle], reason: RelayError) -> Settled[Handle]:
        error = Undelivered(
            message.channel, message.idempotency_key, reason, may_be_stored=message.may_be_stored
        )
        return self._settle(message, error)

    def _settle(self, message: Outgoing[Handle], result: Receipt | Undelivered) -> Settled[Handle]:
        self.messages -= 1
        self.bytes -= len(message.line)
        return Settled(message, result)

    def _schedule(self, lane: Lane[Handle]) -> None:
        """Put down when to look at this lane, and forget it if it is empty."""
        ready_at = lane.ready_at(self.limits, self._hurried_upto)
        if ready_at is None:
            lane.scheduled = None
            if lane.is_empty:
                self._lanes.pop(lane.channel, None)
                self._lingering.pop(lane.channel, None)
            return
        at = min(ready_at, lane.first_expires_at())
        if at != lane.scheduled:
            lane.scheduled = at
            heapq.heappush(self._agenda, (at, next(self._tickets), lane))
