"""What is written of a window in one step: how far the cursor goes, and what becomes of rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Delivery
from relaycore.position import previous_position
from relaycore.sending.again import Again, lost
from relaycore.sending.items import Aged, Item, Progress, State
from relaycore.sending.noting import Noting

_QUEUED, _OUT, _AGED = State.QUEUED, State.OUT, State.AGED


@dataclass(frozen=True, slots=True)
class Step:
    """`passed`: the lowest of the window, which the cursor passes; `rows`: those that are changed, or go."""

    progress: Progress
    passed: Sequence[Item]
    rows: Sequence[Item]


def passed(items: Iterable[Item], seen: str, looked: str, *, is_stuck: bool) -> tuple[list[Item], str]:
    """Of the lowest those that the cursor may pass, and where it stands then.

    seen:     where it stands
    looked:   where it stands if that is all of them
    is_stuck: what is out gets a row, so that it may be passed
    """
    found: list[Item] = []
    for one in items:
        one.parked = None
        state = one.state
        if state is _OUT and is_stuck:
            one.parked = Delivery(one.position, one.id)
        elif state is _QUEUED or state is _OUT:
            return found, found[-1].position if found else seen
        found.append(one)
    return found, looked


def step(
    seen: Cursor,
    revision: int,
    upto: str,
    passed: Sequence[Item],
    again: Again,
    noting: Noting,
    dead_upto: str,
) -> Step | None:
    """What there is to write by now; None: nothing.

    upto:      where the cursor stands then, which has passed these
    dead_upto: up to here there may be dead letters of what it passes
    """
    rows = again.settled()
    noted, missed = noting.upto(upto)
    if upto == seen.position and noted is None and not rows:
        return None
    progress = Progress(
        seen,
        revision,
        Cursor(upto, upto, seen.generation),
        noted,
        missed,
        new=[row for one in passed if (row := one.parked or one.becomes) is not None],
        changed=[one.becomes for one in rows if one.state is State.FAILED and one.becomes is not None],
        done=[one.row for one in rows if one.state is State.DONE and one.row is not None],
        lost=[gone for gone in map(lost, rows) if gone is not None],
        aged=_aged(passed),
        risen=[one.position for one in passed if one.position <= dead_upto and one.state is State.DONE],
    )
    return Step(progress, passed, rows)


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
