"""What becomes of an alert by what senders say of it, and by its end; and what is told of that.

Times are milliseconds since 1970. Whoever asks has the row of the alert for himself from before he takes the
time until all that is returned here is written, the messages with the states. A time of before he had it may
lie before an end that somebody else has told meanwhile: the alert would begin to fire once more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from relaycore.alerting.labelled import posted, transitions
from relaycore.alerting.labelled.posted import Alert

KEPT_MS: Final = 3_600_000
"""So long after its end an alert is known: senders repeat the end for a quarter of an hour."""


@dataclass(frozen=True, slots=True)
class State:
    """What is known of an alert. `is_firing`: what was told of it last, or waits to be told."""

    alert: Alert
    is_firing: bool


@dataclass(frozen=True, slots=True)
class Taken:
    """What is known after a request, by fingerprint, and the messages that are to be told, in order."""

    states: Mapping[str, State]
    told: Sequence[str]


def unknown(said: Alert) -> State:
    """Of an alert that nothing was ever said of."""
    return State(replace(said, ends=0), is_firing=False)


def goes_on(known: State, said: Alert, at: int) -> bool:
    """Whether it fires as it did, and no earlier end was said: nothing is told, and `gone_on` is kept."""
    before = known.alert
    return known.is_firing and before.starts <= said.starts < before.ends <= said.ends and before.ends > at


def gone_on(known: State, said: Alert) -> State:
    """What is known then."""
    return State(replace(said, starts=known.alert.starts), is_firing=True)


def take(known: Mapping[str, State], alerts: Sequence[Alert], at: int) -> Taken:
    """What a request says, in its order. `known` has all that it says something of."""
    states, told = dict(known), list[str]()
    for said in alerts:
        before = states[said.fingerprint]
        if is_over(before, at) and _begins_anew(before.alert, said):
            before, ended = end(before)
            told.append(ended)
        alert = posted.merged(before.alert, said, at)
        is_firing = not alert.is_resolved(at)
        if is_firing is not before.is_firing:
            told.append(transitions.message(alert, is_firing=is_firing))
        states[said.fingerprint] = State(alert, is_firing)
    return Taken(states, told)


def _begins_anew(over: Alert, said: Alert) -> bool:
    """Whether it fires another time: what nobody has ended yet is told first.

    Whoever says no end says no start either, mostly: that goes on.
    """
    return said.starts > over.ends and not said.is_timed_out


def is_over(known: State, at: int) -> bool:
    """Whether it has come to its end, and that was not told."""
    return known.is_firing and known.alert.is_resolved(at)


def end(known: State) -> tuple[State, str]:
    """What is known of it then, and the message."""
    return State(known.alert, is_firing=False), transitions.message(known.alert, is_firing=False)


def is_forgotten(known: State, updated: int, at: int) -> bool:
    """Whether it has been over for so long that nothing is known of it any more."""
    return not known.is_firing and updated < at - KEPT_MS
