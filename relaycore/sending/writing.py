"""What is written of a window in one step: how far the cursor goes, and what becomes of rows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Delivery
from relaycore.position import previous_position
from relaycore.sending.again import Again, lost
from relaycore.sending.items import Aged, Item, Progress, State
from relaycore.sending.keyed.keys import Keys
from relaycore.sending.noting import Noting

_QUEUED, _OUT, _DONE, _FAILED = State.QUEUED, State.OUT, State.DONE, State.FAILED
_AGED = State.AGED


@dataclass(frozen=True, slots=True)
class Step:
    """What is written, and of what.

    passed: the lowest of the window, which the cursor passes
    held:   those of them that wait behind another one of their key
    rows:   those that are changed, or go
    found:  those that have waited, and get a row
    """

    progress: Progress
    passed: Sequence[Item]
    held: Sequence[Item]
    rows: Sequence[Item]
    found: Sequence[Item]


@dataclass(frozen=True, slots=True)
class Passed:
    """What the cursor may pass, and where it stands then.

    others: those of `items` that are not simply done
    held:   those of them that get no row
    """

    items: Sequence[Item]
    others: Sequence[Item]
    held: Sequence[Item]
    upto: str


def passed(
    items: Iterable[Item], seen: str, looked: str, is_parked: Callable[[str], bool], *, is_stuck: bool
) -> Passed:
    """Of the lowest those that the cursor may pass.

    seen:      where it stands
    looked:    where it stands if that is all of them
    is_parked: whether a message of this key waits for what has a row, or is held
    is_stuck:  what is out gets a row, so that it may be passed
    """
    found: list[Item] = []
    others: list[Item] = []
    held: list[Item] = []
    parked: set[str] = set()
    for one in items:
        one.parked = None
        state = one.state
        if state is _DONE:
            found.append(one)
            continue
        key = one.key
        if state is _OUT and is_stuck:
            one.parked = Delivery(one.position, one.id, key=key, batch=one.batch)
            parked.add(key)
        elif state is _QUEUED and key and (key in parked or is_parked(key)):
            held.append(one)
        elif state is _QUEUED or state is _OUT:
            return Passed(found, others, held, found[-1].position if found else seen)
        elif state is _FAILED and not one.is_dead:
            parked.add(key)
        found.append(one)
        others.append(one)
    return Passed(found, others, held, looked)


def step(
    seen: Cursor, revision: int, passing: Passed, again: Again, noting: Noting, keys: Keys, dead_upto: str
) -> Step | None:
    """What there is to write by now; None: nothing.

    dead_upto: up to here there may be dead letters of what it passes
    """
    rows, upto = again.settled(), passing.upto
    noted, missed = noting.upto(upto)
    new = [row for one in passing.others if (row := one.parked or one.becomes) is not None]
    ended = [one.position for one in rows if one.state is not _FAILED or one.is_dead]
    going = keys.step(ended, new, passing.held)
    if upto == seen.position and noted is None and not (rows or going.held or going.free):
        return None
    progress = Progress(
        seen,
        revision,
        Cursor(upto, upto, seen.generation),
        noted,
        missed,
        new=[*new, *(row for one in going.found if (row := one.parked) is not None)],
        **(_settled(rows) if rows else {}),
        aged=_aged(passing.items) if any(one.state is _AGED for one in passing.others) else [],
        risen=_risen(passing.items, dead_upto) if dead_upto else [],
        held=going.held,
        free=going.free,
        waited=going.missed,
    )
    return Step(progress, passing.items, passing.held, rows, going.found)


def _settled(rows: Sequence[Item]) -> dict[str, Any]:
    return {
        "changed": [one.becomes for one in rows if one.state is _FAILED and one.becomes is not None],
        "done": [one.row for one in rows if one.state is _DONE and one.row is not None],
        "lost": [gone for gone in map(lost, rows) if gone is not None],
    }


def _risen(passed: Iterable[Item], dead_upto: str) -> list[str]:
    """What is done of what stands where dead letters may be."""
    return [
        one.position for one in takewhile(lambda one: one.position <= dead_upto, passed) if one.state is _DONE
    ]


def _aged(passed: Iterable[Item]) -> list[Aged]:
    """Those that stand next to each other together."""
    runs: list[Aged] = []
    was_aged = False
    for one in passed:
        is_aged = one.state is _AGED
        if is_aged and was_aged:
            last = runs.pop()
            runs.append(Aged(last.after, one.position, last.messages + 1))
        elif is_aged:
            runs.append(Aged(previous_position(one.position), one.position, 1))
        was_aged = is_aged
    return runs
