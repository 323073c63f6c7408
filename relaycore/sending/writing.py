"""What is written of a window in one step: how far the cursor goes, and what becomes of rows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.leasing import Delivery
from relaycore.position import previous_position
from relaycore.sending.again import Again, lost
from relaycore.sending.items import Aged, Item, Progress, State
from relaycore.sending.noting import Noting


@dataclass(frozen=True, slots=True)
class Step:
    """`passed`: the lowest of the window, which the cursor passes; `rows`: those that are changed, or go."""

    progress: Progress
    passed: Sequence[Item]
    rows: Sequence[Item]


def step(
    seen: Cursor,
    revision: int,
    items: Iterable[Item],
    looked: str,
    again: Again,
    noting: Noting,
    *,
    is_stuck: bool,
) -> Step | None:
    """What there is to write by now; None: nothing.

    is_stuck: what is out gets a row, so that the cursor may pass it
    """
    passed, is_all = _passed(items, is_stuck=is_stuck)
    position = seen.position
    if is_all:
        position = looked
    elif passed:
        position = passed[-1].position
    rows = again.settled()
    noted, missed = noting.upto(position)
    if position == seen.position and noted is None and not rows:
        return None
    progress = Progress(
        seen,
        revision,
        Cursor(position, position, seen.generation),
        noted,
        missed,
        new=[row for row in map(_row_of, passed) if row is not None],
        changed=[one.becomes for one in rows if one.state is State.FAILED and one.becomes is not None],
        done=[one.row for one in rows if one.state is State.DONE and one.row is not None],
        lost=[gone for gone in map(lost, rows) if gone is not None],
        aged=_aged(passed),
    )
    return Step(progress, passed, rows)


def _passed(items: Iterable[Item], *, is_stuck: bool) -> tuple[list[Item], bool]:
    """Of the lowest those that the cursor may pass, and whether that is all of them."""
    passed: list[Item] = []
    for one in items:
        one.parked = None
        if one.state is State.OUT and is_stuck:
            one.parked = Delivery(one.position, one.id)
        elif one.state in (State.QUEUED, State.OUT):
            return passed, False
        passed.append(one)
    return passed, True


def _row_of(item: Item) -> Delivery | None:
    return item.parked or item.becomes


def _aged(passed: Iterable[Item]) -> list[Aged]:
    """Those that stand next to each other together."""
    runs: list[Aged] = []
    was_aged = False
    for one in passed:
        is_aged = one.state is State.AGED
        if is_aged and was_aged:
            last = runs.pop()
            runs.append(Aged(last.after, one.position, last.messages + 1))
        elif is_aged:
            runs.append(Aged(previous_position(one.position), one.position, 1))
        was_aged = is_aged
    return runs
