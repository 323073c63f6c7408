"""Who of a partition's listeners leads, decided by each of them from what it hears.

What follows from what is a table: `relaycore.listening.transitions`. What stands in none of its rows cannot
happen, and raises `IllegalEvent`. `Election` finds out which event it is: it counts ticks and looks at
the time.

Silence: no tick for `SILENT_TICKS` intervals (longer, if what is held has a hole)
although everything that came in was read. Either nobody leads, or this connection is
deaf. Redis knows which, so it is asked for its counter of ticks: if that is further than
what was heard, and stays so, the connection is dropped; else the lease is claimed. While
Redis itself stands still there is no answer, and nothing is done.

A clock is never read here: `now` is monotonic, in seconds.
"""

from typing import Final

from relaycore.capturing.ticks import LEADING, LEAVING, LEFT, Tick, TickState
from relaycore.listening.transitions import (
    HANDING_OVER,
    TICKING,
    TRANSITIONS,
    Action,
    Event,
    IllegalEvent,
    State,
)

SILENT_TICKS: Final = 5
_SILENT_TICKS_WITH_A_HOLE: Final = 15
"""Who would lead with a hole leaves those without one time to be first."""

HANDOVER_SECONDS: Final = 4.0
"""So long a listener on its way out waits for a successor. Told to go, it has 10 s to stop in all."""


class Election:
    """One listener's view. Each method says what happened, and returns what follows.

    state: see the module
    epoch: of its own latest term, 0 if there was none
    seen:  the highest epoch that was heard
    fence: the highest epoch that ever ticked, by what Redis keeps beside the stream
    last:  the latest tick of the current term by which this connection hears every channel
    newest: the number of the last tick that was heard, or published before this connection
    point: while it hands over: what came before the tick of this number it relays, the rest it holds
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self.state = State.JOINING
        self.epoch = 0
        self.seen = self.fence = 0
        self.last: Tick | None = None
        self.point: int | None = None
        self.newest = 0
        self._has_heard = False
        self._quiet_since: float | None = None
        self._patience = SILENT_TICKS * interval
        self._waiting = False
        self._asked: int | None = None
        self._expected: int | None = None
        self._hands_over_since = 0.0

    @property
    def highest(self) -> int:
        """Of all terms that are known here. The lease may know less: PostgreSQL may have gone back."""
        return max(self.seen, self.fence)

    @property
    def relays(self) -> bool:
        """Whether what is heard now goes onto the stream and not into the hold."""
        return self.state is State.LEADING or (
            self.state in {State.YIELDING, State.LEAVING} and self.point is None
        )

    @property
    def ticks(self) -> bool:
        """Whether this listener publishes ticks."""
        return self.state in TICKING

    @property
    def says(self) -> TickState:
        """What its ticks say of it."""
        if self.state in {State.YIELDED, State.LEFT}:
            return LEFT
        return LEAVING if self.state in HANDING_OVER else LEADING

    @property
    def hands_over(self) -> bool:
        """Whether it is on its way out, and waits for a successor."""
        return self.state in HANDING_OVER

    # --- the connection and what it brings ---------------------------------------------

    def joined(self, now: float, floor: int) -> tuple[Action, ...]:
        """There is a new data connection; ticks up to the number `floor` were published before it."""
        self.last = None
        self.newest = floor
        self._has_heard = False
        self._restart(now)
        return self._on(Event.JOINED)

    def heard(self, tick: Tick, now: float, *, covered: bool, whole: bool) -> tuple[Action, ...]:
        """A tick was heard, and everything before it.

        `covered`: this connection hears every channel; `whole`: as in `turn`.
        """
        self.newest = tick.number
        self._has_heard = True
        if tick.epoch < self.seen:
            return ()  # Of a leader that does not know yet that its term is over.
        self._restart(now)
        self.seen = tick.epoch
        if covered:
            self.last = tick
        if self.ticks:
            return self._heard_while_ticking(tick)
        if not covered:
            return ()
        return self._on(Event.HEARD_LEFT if tick.state == LEFT and whole else Event.HEARD)

    def cut(self, now: float, *, somebody: bool) -> tuple[Action, ...]:
        """The data connection has ended. `somebody`: another listener may have heard on."""
        return self._ended_term(Event.CUT if somebody else Event.CUT_ALONE, now)

    # --- silence -------------------------------------------------------------------------

    def turn(self, now: float, *, caught_up: bool, whole: bool) -> tuple[Action, ...]:
        """Look at the time.

        `caught_up`: everything that has come in was read just now. `whole`: what is held has no
        hole since the last confirmed tick.
        """
        if self.hands_over and now - self._hands_over_since > HANDOVER_SECONDS:
            return self._on(Event.FORSAKEN)
        if self.ticks or self.state is State.ENDED or self._waiting or self._asked is not None:
            return ()
        if not caught_up or self._quiet_since is None:
            self._quiet_since = now
        self._patience = (SILENT_TICKS if whole else _SILENT_TICKS_WITH_A_HOLE) * self._interval
        if now - self._quiet_since <= self._patience:
            return ()
        if self._expected is not None and self._has_heard and self.newest < self._expected:
            # The tick that Redis has counted had time enough to come.
            return self._deaf(now)
        self._asked = self.newest
        return self._on(Event.SILENT)

    def counted(self, after: int, counter: int | None, now: float) -> tuple[Action, ...]:
        """What Redis said of its counter of ticks; None if it could not be asked.

        `after`: `newest` when it was asked. What was heard since then is the newer news.
        """
        if self._asked == after:
            self._asked = None
        if after != self.newest:
            return ()
        if self.ticks or counter is None:
            self._quiet_since = now
            return ()
        if not self._has_heard:
            # Whether somebody ticks shows between two questions, as no tick was heard yet.
            before, self._expected = self._expected, counter
            if before is not None:
                return self._nobody() if counter == before else self._deaf(now)
        elif counter == self.newest:
            return self._nobody()
        elif counter < self.newest:
            return self._deaf(now)  # Redis has lost its counter: where this one stands is not known.
        else:
            self._expected = counter
        # Two more intervals: for another question, or for a tick that is on its way.
        self._quiet_since = now - self._patience + 2 * self._interval
        return ()

    # --- the lease -----------------------------------------------------------------------

    def won(self, epoch: int) -> tuple[Action, ...]:
        """The term of this epoch is its own, unless it is over already."""
        self._waiting = False
        if epoch < self.seen or self.state is State.ENDED:
            return ()
        actions = self._on(Event.WON)
        self.epoch = self.seen = epoch
        self.point = None
        return actions

    def refused(self, now: float) -> tuple[Action, ...]:
        """Somebody else has the lease."""
        return self._ended_term(Event.REFUSED, now)

    def lost(self, now: float) -> tuple[Action, ...]:
        """The lease could not be renewed: somebody else has it."""
        return self._ended_term(Event.LOST, now)

    # --- the way out ---------------------------------------------------------------------

    def retire(self, now: float) -> tuple[Action, ...]:
        """Hand over to a standby that has proved to be whole; go on if it does not take over."""
        self._hands_over_since = now
        return self._on(Event.RETIRE)

    def stop(self, now: float, *, somebody: bool) -> tuple[Action, ...]:
        """Go, after a hand-over if there may be somebody to take over. Asked again until it has ENDED."""
        if not self.hands_over:
            self._hands_over_since = now
        return self._on(Event.STOP if somebody else Event.STOP_ALONE)

    def stands(self, confirmed: int) -> tuple[Action, ...]:
        """Everything before the tick `confirmed` is on the stream."""
        waits = self.state in {State.YIELDING, State.LEAVING}
        if waits and self.point is not None and confirmed >= self.point:
            return self._on(Event.STANDS)
        return ()

    def confirms(self, tick: Tick) -> bool:
        """Whether this listener has appended everything before a tick that it has heard."""
        return self.relays or (self.ticks and self.point is not None and tick.number <= self.point)

    # --- inside --------------------------------------------------------------------------

    def _on(self, event: Event) -> tuple[Action, ...]:
        found = TRANSITIONS[self.state].get(event)
        if found is None:
            raise IllegalEvent(f"{event.name} in {self.state.name}")
        self.state, actions = found
        if not self.hands_over:
            self.point = None
        if Action.CLAIM in actions:
            if self._waiting:
                return ()
            self._waiting = True
        return actions

    def _heard_while_ticking(self, tick: Tick) -> tuple[Action, ...]:
        if tick.epoch > self.epoch:
            return self._on(Event.SUPERSEDED)
        if self.hands_over and self.point is None and tick.state == LEAVING:
            self.point = tick.number
        return self._on(Event.HEARD_OWN)

    def _ended_term(self, event: Event, now: float) -> tuple[Action, ...]:
        led = self.ticks
        actions = self._on(event)
        if not self.ticks and (led or event in {Event.CUT, Event.CUT_ALONE}):
            self.last = None
        if not self.ticks:
            self._restart(now)
        return actions

    def _nobody(self) -> tuple[Action, ...]:
        return self._on(Event.NOBODY)

    def _deaf(self, now: float) -> tuple[Action, ...]:
        self._restart(now)
        return self._on(Event.DEAF)

    def _restart(self, now: float) -> None:
        self._quiet_since = now
        self._waiting = False
        self._asked = self._expected = None
