"""Who of a partition's listeners leads, decided by each of them from what it hears.

::

                   ┌────────── heard a higher epoch, or resigned ──────────┐
                   ▼                                                       │
    JOINING ──► FOLLOWING ──► (claim won) ──► LEADING ──► LEAVING ──► LEFT ┴► ENDED
      │  a tick was heard                        ▲
      └────────────── (claim won) ───────────────┘

JOINING:   connected, and no tick heard yet: what is held is not whole
FOLLOWING: holds what it hears
LEADING:   relays what it hears, and ticks
LEAVING:   was told to go, and there is a standby. Relays what came before its first
           tick of the state `leaving`, and holds what comes after it
LEFT:      everything before that tick is on the stream. Holds, until somebody leads

Silence: no tick for `SILENT_TICKS` intervals (longer, if what is held has a hole)
although everything that came in was read. Either nobody leads, or this connection is
deaf. Redis knows which, so it is asked for its counter of ticks: if that is further than
what was heard, and stays so, the connection is dropped; else the lease is claimed. While
Redis itself stands still there is no answer, and nothing is done.

A clock is never read here: `now` is monotonic, in seconds.
"""

from enum import Enum, auto
from typing import Final

from relaycore.ticks import LEAVING, LEFT, Tick

SILENT_TICKS: Final = 5
_SILENT_TICKS_WITH_A_HOLE: Final = 15
"""Who would lead with a hole leaves those without one time to be first."""

_HANDOVER_SECONDS: Final = 4.0
"""So long a listener that was told to go waits for a successor. It has 10 s to stop in all."""


class State(Enum):
    """Where one listener stands."""

    JOINING = auto()
    FOLLOWING = auto()
    LEADING = auto()
    LEAVING = auto()
    LEFT = auto()
    ENDED = auto()


class Action(Enum):
    """What the election asks its listener to do.

    ASK:       ask Redis for the counter of ticks, and tell `answered`
    REJOIN:    drop the data connection: it does not bring what is published
    CLAIM:     claim the lease, beyond the epoch `seen`; tell `won` or `refused`
    STEP_DOWN: somebody else leads now. What was heard is still appended
    TAKE_BACK: nobody took over. Append what is held, and end
    """

    ASK = auto()
    REJOIN = auto()
    CLAIM = auto()
    STEP_DOWN = auto()
    TAKE_BACK = auto()


class Election:
    """One listener's view.

    state: see the module
    epoch: of its own latest term, 0 if there was none
    seen:  the highest epoch that was heard
    last:  the latest tick of the current term that was heard on this connection
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self.state = State.JOINING
        self.epoch = 0
        self.seen = 0
        self.last: Tick | None = None
        self._newest = 0
        self._quiet_since: float | None = None
        self._patience = SILENT_TICKS * interval
        self._waiting = False
        self._expected: int | None = None
        self._left_at = 0.0
        self.point: int | None = None

    @property
    def relays(self) -> bool:
        """Whether what is heard now goes onto the stream and not into the hold."""
        return self.state is State.LEADING or (self.state is State.LEAVING and self.point is None)

    @property
    def ticks(self) -> bool:
        """Whether this listener publishes ticks."""
        return self.state in {State.LEADING, State.LEAVING, State.LEFT}

    # --- what happens ----------------------------------------------------------------

    def joined(self, now: float) -> None:
        """There is a new data connection."""
        self.last = None
        self._restart(now)
        if self.state is State.FOLLOWING:
            self.state = State.JOINING

    def heard(self, tick: Tick, now: float, *, whole: bool) -> Action | None:
        """A tick was heard, and everything before it. `whole`: as in `turn`."""
        self._newest = tick.number
        if tick.epoch < self.seen:
            return None  # Of a leader that does not know yet that its term is over.
        self.last = tick
        self._restart(now)
        self.seen = tick.epoch
        if self.state is State.JOINING:
            self.state = State.FOLLOWING
        if self.ticks:
            return self._heard_while_ticking(tick)
        if tick.state == LEFT and whole:
            return self._claim()
        return None

    def turn(self, now: float, *, caught_up: bool, whole: bool) -> Action | None:
        """Look at the time.

        `caught_up`: everything that has come in was read just now. `whole`: what is held has no
        hole since the last confirmed tick.
        """
        if self.ticks or self.state is State.ENDED or self._waiting:
            return None
        if not caught_up or self._quiet_since is None:
            self._quiet_since = now
        self._patience = (SILENT_TICKS if whole else _SILENT_TICKS_WITH_A_HOLE) * self._interval
        if now - self._quiet_since <= self._patience:
            return None
        if self._expected is not None and self.last is not None and self._newest < self._expected:
            # The tick that Redis has counted had time enough to come.
            return self._rejoin(now)
        self._waiting = True
        return Action.ASK

    def answered(self, counter: int | None, now: float) -> Action | None:
        """What Redis said of its counter of ticks; None if it could not be asked."""
        self._waiting = False
        if self.ticks or counter is None:
            self._quiet_since = now
            return None
        if self.last is None:
            # Whether somebody ticks shows between two questions, as no tick was heard yet.
            before, self._expected = self._expected, counter
            if before is not None:
                return self._claim() if counter == before else self._rejoin(now)
        elif counter <= self._newest:
            return self._claim()
        else:
            self._expected = counter
        # Two more intervals: for another question, or for a tick that is on its way.
        self._quiet_since = now - self._patience + 2 * self._interval
        return None

    def won(self, epoch: int) -> bool:
        """This listener leads; False if that term is over already.

        It has claimed the lease, or PostgreSQL cannot be asked and the term is unconfirmed.
        """
        self._waiting = False
        if epoch < self.seen or self.state is State.ENDED:
            return False
        self.state = State.LEADING
        self.epoch = self.seen = epoch
        self.point = None
        return True

    def refused(self, now: float) -> None:
        """Somebody else has the lease."""
        self._restart(now)

    def leave(self, now: float, *, standbys: int) -> Action | None:
        """Go, after a hand-over if there is a standby. Asked again until the state is ENDED."""
        if self.state is State.LEADING and standbys:
            self.state = State.LEAVING
            self._left_at = now
        elif self.state in {State.LEAVING, State.LEFT}:
            if not standbys or now - self._left_at > _HANDOVER_SECONDS:
                return self._take_back()
        else:
            self.state = State.ENDED
        return None

    def appended(self, confirmed: int) -> None:
        """Everything before the tick `confirmed` is on the stream."""
        if self.state is State.LEAVING and self.point is not None and confirmed >= self.point:
            self.state = State.LEFT

    def resign(self, now: float) -> None:
        """Lead no more: go on as a standby, or end if this one was on its way out."""
        self.state = State.JOINING if self.state is State.LEADING else State.ENDED
        self.last = None
        self._restart(now)

    def deafened(self) -> Action | None:
        """The data connection has ended, and there is no standby."""
        return self._take_back() if self.state in {State.LEAVING, State.LEFT} else None

    def confirms(self, tick: Tick) -> bool:
        """Whether this listener has appended everything before a tick that it has heard."""
        return self.relays or (self.ticks and self.point is not None and tick.number <= self.point)

    # --- inside ----------------------------------------------------------------------

    def _heard_while_ticking(self, tick: Tick) -> Action | None:
        if tick.epoch > self.epoch:
            ending = self.state is not State.LEADING
            self.state = State.ENDED if ending else State.FOLLOWING
            return Action.STEP_DOWN
        if self.state is State.LEAVING and self.point is None and tick.state == LEAVING:
            self.point = tick.number
        return None

    def _take_back(self) -> Action:
        self.state = State.ENDED
        return Action.TAKE_BACK

    def _claim(self) -> Action | None:
        if self._waiting:
            return None
        self._waiting = True
        return Action.CLAIM

    def _rejoin(self, now: float) -> Action:
        self._restart(now)
        return Action.REJOIN

    def _restart(self, now: float) -> None:
        self._quiet_since = now
        self._waiting = False
        self._expected = None
