"""The election as a table: in which state a listener can be, what can happen to it, and what follows.

::

                 ┌───────────── refused, lost, or cut off ──────────────┐
                 ▼                                                      │
    JOINING ──► FOLLOWING ──► (claim won) ──► LEADING ──► YIELDING ──► YIELDED ──┐
      │  a tick was heard                       │ ▲           │ nobody took over │
      │                                         │ └───────────┴──────────────────┤
      └──────── (claim won) ────────────────────┤                   superseded   ▼
                                                └──► LEAVING ──► LEFT ────────► ENDED

JOINING:   no tick was heard yet by which this listener hears every channel
FOLLOWING: holds what it hears
LEADING:   relays what it hears, and ticks
YIELDING:  its life is over, and a standby has proved that it is whole. Relays what came before
           its first tick of the state `leaving`, and holds what comes after it
YIELDED:   everything before that tick is on the stream. Holds, until somebody leads. If
           nobody does, it leads on: it was not told to go
LEAVING:   as YIELDING, of a listener that was told to go
LEFT:      as YIELDED, of a listener that was told to go. If nobody leads, it ends
"""

from collections.abc import Mapping
from enum import Enum, auto
from typing import Final


class State(Enum):
    """Where one listener stands."""

    JOINING = auto()
    FOLLOWING = auto()
    LEADING = auto()
    YIELDING = auto()
    YIELDED = auto()
    LEAVING = auto()
    LEFT = auto()
    ENDED = auto()


class Event(Enum):
    """What happens to a listener.

    JOINED:     there is a new data connection
    HEARD:      a tick of whoever leads, by a listener that does not
    HEARD_LEFT: such a tick says that its leader has left, and what is held here is whole
    HEARD_OWN:  a tick of its own term, by a listener that ticks
    SUPERSEDED: a tick of a later term, by a listener that ticks
    SILENT:     no tick for so long that Redis is to be asked
    NOBODY:     Redis has counted no tick that was not heard
    DEAF:       Redis has counted ticks that do not arrive
    WON:        the lease is claimed, or PostgreSQL cannot be asked and the term is unconfirmed
    REFUSED:    somebody else has the lease
    LOST:       the lease could not be renewed, somebody else has it
    RETIRE:     its life is over, everything is appended, and a standby has proved that it is whole
    STOP:       it was told to go, and somebody hears its ticks who may take over
    STOP_ALONE: it was told to go, and nobody hears its ticks
    STANDS:     everything before the point of the hand-over is on the stream
    FORSAKEN:   nobody has taken over
    CUT:        its data connection has ended, and somebody else may have heard on
    CUT_ALONE:  its data connection has ended, and nobody else was there
    """

    JOINED = auto()
    HEARD = auto()
    HEARD_LEFT = auto()
    HEARD_OWN = auto()
    SUPERSEDED = auto()
    SILENT = auto()
    NOBODY = auto()
    DEAF = auto()
    WON = auto()
    REFUSED = auto()
    LOST = auto()
    RETIRE = auto()
    STOP = auto()
    STOP_ALONE = auto()
    STANDS = auto()
    FORSAKEN = auto()
    CUT = auto()
    CUT_ALONE = auto()


class Action(Enum):
    """What follows for the listener.

    ASK:       ask Redis for the counter of ticks, and tell `counted`
    REJOIN:    drop the data connection: it does not bring what is published
    CLAIM:     claim the lease, above every epoch that is known; tell `won` or `refused`
    LEAD:      a term begins
    TAKE_BACK: append what is held since the point of the hand-over
    SAY_LEFT:  tell the others that this leader has left
    RESIGN:    end the term, and hold what is heard from here on
    STEP_DOWN: somebody else leads now: end the term. What was heard is still appended
    """

    ASK = auto()
    REJOIN = auto()
    CLAIM = auto()
    LEAD = auto()
    TAKE_BACK = auto()
    SAY_LEFT = auto()
    RESIGN = auto()
    STEP_DOWN = auto()


class IllegalEvent(AssertionError):
    """An event that cannot happen in this state: a mistake in this program."""


Row = Mapping[Event, tuple[State, tuple[Action, ...]]]

_S, _E, _A = State, Event, Action

_STANDBY: Final[Row] = {
    _E.JOINED: (_S.JOINING, ()),
    _E.HEARD: (_S.FOLLOWING, ()),
    _E.HEARD_LEFT: (_S.FOLLOWING, (_A.CLAIM,)),
    _E.DEAF: (_S.JOINING, (_A.REJOIN,)),
    _E.WON: (_S.LEADING, (_A.LEAD,)),
    _E.STOP: (_S.ENDED, ()),
    _E.STOP_ALONE: (_S.ENDED, ()),
    # What it holds is not whole any more: from now on it hears nothing.
    _E.CUT: (_S.JOINING, ()),
    _E.CUT_ALONE: (_S.JOINING, ()),
}


def _stays(state: State, *events: Event) -> Row:
    return dict.fromkeys(events, (state, ()))


def _standby(state: State) -> Row:
    return {
        **_STANDBY,
        **_stays(state, _E.REFUSED, _E.LOST),
        _E.SILENT: (state, (_A.ASK,)),
        _E.NOBODY: (state, (_A.CLAIM,)),
    }


def _yields(state: State, then: Row) -> Row:
    """On its way out because its life is over: whatever fails, it goes on."""
    return {
        **_stays(state, _E.HEARD_OWN, _E.LOST),
        _E.SUPERSEDED: (_S.ENDED, (_A.TAKE_BACK, _A.STEP_DOWN)),
        _E.WON: (_S.LEADING, (_A.TAKE_BACK, _A.LEAD)),
        _E.REFUSED: (_S.JOINING, (_A.TAKE_BACK, _A.RESIGN)),
        _E.STOP_ALONE: (_S.ENDED, (_A.TAKE_BACK,)),
        _E.FORSAKEN: (_S.LEADING, (_A.TAKE_BACK,)),
        _E.CUT: (_S.JOINING, (_A.TAKE_BACK, _A.SAY_LEFT, _A.RESIGN)),
        _E.CUT_ALONE: (_S.LEADING, (_A.TAKE_BACK,)),
        **then,
    }


def _leaves(state: State, then: Row) -> Row:
    """On its way out because it was told to go: whatever fails, it appends what it has and ends."""
    return {
        **_stays(state, _E.HEARD_OWN, _E.LOST, _E.STOP),
        _E.SUPERSEDED: (_S.ENDED, (_A.TAKE_BACK, _A.STEP_DOWN)),
        _E.WON: (_S.LEAVING, (_A.TAKE_BACK, _A.LEAD)),
        _E.REFUSED: (_S.ENDED, (_A.TAKE_BACK, _A.RESIGN)),
        _E.STOP_ALONE: (_S.ENDED, (_A.TAKE_BACK,)),
        _E.FORSAKEN: (_S.ENDED, (_A.TAKE_BACK,)),
        _E.CUT: (_S.ENDED, (_A.TAKE_BACK, _A.SAY_LEFT, _A.RESIGN)),
        _E.CUT_ALONE: (_S.ENDED, (_A.TAKE_BACK,)),
        **then,
    }


TRANSITIONS: Final[Mapping[State, Row]] = {
    _S.JOINING: _standby(_S.JOINING),
    _S.FOLLOWING: _standby(_S.FOLLOWING),
    _S.LEADING: {
        **_stays(_S.LEADING, _E.JOINED, _E.HEARD_OWN, _E.CUT_ALONE),
        _E.SUPERSEDED: (_S.FOLLOWING, (_A.STEP_DOWN,)),
        _E.WON: (_S.LEADING, (_A.LEAD,)),
        _E.REFUSED: (_S.JOINING, (_A.RESIGN,)),
        _E.LOST: (_S.JOINING, (_A.RESIGN,)),
        _E.RETIRE: (_S.YIELDING, ()),
        _E.STOP: (_S.LEAVING, ()),
        _E.STOP_ALONE: (_S.ENDED, ()),
        _E.CUT: (_S.JOINING, (_A.SAY_LEFT, _A.RESIGN)),
    },
    _S.YIELDING: _yields(_S.YIELDING, {_E.STANDS: (_S.YIELDED, ()), _E.STOP: (_S.LEAVING, ())}),
    _S.YIELDED: _yields(_S.YIELDED, {_E.STOP: (_S.LEFT, ())}),
    _S.LEAVING: _leaves(_S.LEAVING, {_E.STANDS: (_S.LEFT, ()), _E.JOINED: (_S.LEAVING, ())}),
    _S.LEFT: _leaves(_S.LEFT, {}),
    # What was under way when it ended comes to nothing.
    _S.ENDED: _stays(_S.ENDED, *(event for event in Event if event is not _E.RETIRE)),
}
"""State → event → the next state, and what follows. Any other event is illegal."""

TICKING: Final = frozenset({_S.LEADING, _S.YIELDING, _S.YIELDED, _S.LEAVING, _S.LEFT})
HANDING_OVER: Final = frozenset({_S.YIELDING, _S.YIELDED, _S.LEAVING, _S.LEFT})
