"""How far a leader may confirm, and what has to be on record before.

A tick confirms that everything before another one is on the stream, or on record as a gap:
standbys let go what is older, and the next leader counts from there. So this keeps what a
leader knows of windows in which it has heard nothing, and holds back its confirmation until
they are found out and the record has them. A gap that only one process knows ends with it;
then the next leader must be able to find it again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from relaycore.capturing.ticks import Tick


class Why(Enum):
    """Why something was not heard.

    HOLE: there was no leader, and who leads now has not heard everything since the last one confirmed
    DEAF: the leader's data connection had ended
    LATE: who leads now has subscribed this channel later than the leader before
    REFUSED: Redis has refused this channel
    """

    HOLE = auto()
    DEAF = auto()
    LATE = auto()
    REFUSED = auto()


@dataclass(frozen=True, slots=True)
class Missed:
    """Between two ticks nothing was heard; of one channel only, if it is not empty."""

    before: Tick
    after: Tick
    why: Why
    channel: bytes = b""


class Accounting:
    """One listener's account of its terms.

    is_settled:   it is known where the latest term has begun, and what was missed before it
    is_whole:     that term has begun without a hole
    is_forgotten: it has not, and Redis does not know any more what the leader before has confirmed
    since:        without a hole, once settled: the last tick that the leader before has confirmed
    confirmed:    everything before this tick is on the stream, or on record as missed
    """

    def __init__(self) -> None:
        self.is_settled = True
        self.is_whole = True
        self.is_forgotten = False
        self.since: Tick | None = None
        self._epoch = 0
        self._late: Sequence[bytes] = ()
        self._has_begun = False
        self._before: Tick | None = None
        self._deaf_since: Tick | None = None
        self.confirmed: Tick | None = None

    @property
    def is_deaf(self) -> bool:
        """Whether something is missed now, or was until the next tick."""
        return self._deaf_since is not None

    @property
    def deaf_since(self) -> Tick | None:
        """The tick from which on nothing was heard; None while everything is."""
        return self._deaf_since

    def lead(self, epoch: int, *, whole: bool, late: Sequence[bytes]) -> None:
        """A term begins, without a hole or with one. `late`: channels that were heard too late."""
        self.is_settled = False
        self.is_whole = whole
        self.is_forgotten = False
        self.since = None
        self._epoch = epoch
        self._late = late
        self._has_begun = False
        self._before = self._deaf_since = self.confirmed = None

    def go_on(self, epoch: int) -> None:
        """The leader goes on in a term of another epoch: what it knows of the one before it knows still."""
        if self.is_settled:
            self.is_settled, self.is_whole, self.is_forgotten = False, True, False
            self.since, self._late = None, ()
        self._epoch = epoch
        self._has_begun = False

    def begun(self, before: Tick | None) -> None:
        """Redis has published a tick of the term. `before`: the last tick that was confirmed until then."""
        if self._has_begun:
            return
        self._has_begun = True
        self._before = before

    def deafened(self, last: Tick) -> Tick:
        """The data connection has ended after `last`; the tick from which on nothing was heard."""
        if self._deaf_since is None:
            self._deaf_since = last
        return self._deaf_since

    def resign(self) -> None:
        """Lead no more: what is missed from here on, the next leader accounts for."""
        self._deaf_since = None

    def heard(self, tick: Tick) -> list[Missed]:
        """A tick was heard: what was missed before it."""
        missed = []
        if self._deaf_since is not None:
            missed.append(Missed(self._deaf_since, tick, Why.DEAF))
            self._deaf_since = None
        if not self.is_settled and self._has_begun and tick.epoch == self._epoch:
            self.is_settled = True
            missed += self._missed_before(tick)
        return missed

    def confirm(self, stands: Tick | None, *, on_record: bool) -> Tick | None:
        """What to confirm. `stands`: everything heard before it is on the stream.

        `on_record`: what was missed so far is recorded for good.
        """
        if self.is_settled and on_record:
            self.confirmed = stands
        return self.confirmed

    def _missed_before(self, first: Tick) -> list[Missed]:
        """What is missing between the leader before and this one."""
        if self.is_whole:
            self.since = self._before
        if self._before is None:  # There never was a leader, or Redis has forgotten it.
            self.is_forgotten = not self.is_whole
            return []
        if not self.is_whole:
            return [Missed(self._before, first, Why.HOLE)]
        return [Missed(self._before, first, Why.LATE, channel) for channel in self._late]
