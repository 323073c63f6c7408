"""Which standbys have proved, within the last ticks, that they are alive and hold everything.

A standby that is whole writes the number of the tick it has heard beside the stream, under a name
of its own (`Standby`). Each tick that a leader publishes brings it what stands there (`Standbys`).
Only who can read this deployment's ticks can know their numbers, and only who writes to its Redis
can write there, so neither a subscription to the channel of ticks nor a listener of another
deployment is taken for a standby.

A proof is a tick's number and no time: Redis counts ticks, so nobody's clock is trusted. With it stands
a digest of the channels that are heard: a standby that does not hear what its leader hears, because it
has not looked at the table yet or is refused a channel, does not stand by for that.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

Proof = tuple[int, int]
"""The number of a tick, and the digest of the channels that are heard (`relaycore.capturing.subscribing`)."""

PROOF_TICKS: Final = 5
"""So many ticks old a proof may be. A standby reads each 80 ms, and proves at each second tick."""

_EACH_TICKS: Final = 2
_MOST_UNHEARD: Final = 1000


class Standby:
    """What one standby proves."""

    def __init__(self) -> None:
        self._proved: Proof = (0, 0)

    def proves(self, number: int, digest: int, *, whole: bool) -> bool:
        """Whether to write down this tick, which was heard. `digest`: of the channels that are heard."""
        proved, heard = self._proved
        if not whole or (heard == digest and 0 <= number - proved < _EACH_TICKS):
            return False
        self._proved = number, digest
        return True


class Standbys:
    """What a leader knows of the others. `name` is its own: what it has proved before does not count.

    audience: how many others subscribe the channel of ticks. Before a tick of the term was heard, one if
              there is any subscriber, since it is not known which of them is this listener itself
    """

    def __init__(self, name: bytes, interval: float) -> None:
        self._name = name
        self._good_seconds = 2 * PROOF_TICKS * interval
        self._first: int | None = None
        self._last = 0
        self._answered_at = float("-inf")
        self._proofs: Mapping[bytes, Proof] = {}
        self._heard = 0
        self._subscribers: deque[tuple[int, int]] = deque(maxlen=_MOST_UNHEARD)
        self._is_counted = False
        self.audience = 1

    def lead(self) -> None:
        """A term begins."""
        self.distrust()
        self._is_counted = False
        self.audience = 1

    def distrust(self) -> None:
        """What was proved so far is not known to be true any more."""
        self._first = None
        self._proofs = {}

    def learn(self, number: int, subscribers: int, proofs: Mapping[bytes, Proof], now: float) -> None:
        """The tick of this number was published, and these proofs stood there, by name."""
        self._first = number if self._first is None else self._first
        self._last = number
        self._proofs = proofs
        self._answered_at = now
        self._subscribers.append((number, subscribers))
        if not self._is_counted:
            self.audience = min(subscribers, 1)
        self._count()

    def hear(self, number: int) -> None:
        """The tick of this number was heard."""
        self._heard = number
        self._count()

    def has_proof(self, digest: int, now: float) -> bool:
        """Whether a standby has proved in this term, and within the last ticks, that it is whole.

        `digest`: of the channels that are heard here.
        """
        if self._first is None or now - self._answered_at > self._good_seconds:
            return False
        since = max(self._first, self._last - PROOF_TICKS)
        return any(
            name != self._name and number >= since and heard == digest
            for name, (number, heard) in self._proofs.items()
        )

    def _count(self) -> None:
        """By the tick that was heard here: of its subscribers the own connection is one.

        Of a later tick it may not be. Redis ends a connection long before its last bytes are read.
        """
        while self._subscribers and self._subscribers[0][0] <= self._heard:
            number, subscribers = self._subscribers.popleft()
            if number == self._heard:
                self._is_counted = True
                self.audience = subscribers - 1
