"""What becomes of rows: by what workers say of them, and by whoever redrives."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from relaycore.delivering.cursor import Cursor
from relaycore.delivering.holding import Held
from relaycore.delivering.leasing import Delivery, State
from relaycore.delivering.tokens import Token

Change = Callable[[Delivery, int], Delivery | None]
"""What becomes of a delivery at a time (ms since 1970); None: it is done."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What is to be written, and then answered.

    done:    the rows at these positions are deleted
    changed: these rows are so from then on
    in_time: of each token, whether it was
    """

    done: Sequence[str]
    changed: Sequence[Delivery]
    in_time: Sequence[bool]


def meant(cursor: Cursor, tokens: Iterable[Token]) -> list[str]:
    """The positions whose rows decide: none from before a seek."""
    return [token.position for token in tokens if token.generation == cursor.generation]


def settle(
    cursor: Cursor, tokens: Sequence[Token], rows: Mapping[str, Delivery], change: Change, now: int
) -> Settled:
    """Change what these tokens stand for.

    rows: those of `meant` that there are, by position, locked
    """
    done: list[str] = []
    changed: list[Delivery] = []
    in_time: list[bool] = []
    seen: set[str] = set()
    for token in tokens:
        row = rows.get(token.position) if token.generation == cursor.generation else None
        is_in_time = False
        if row is not None and token.position not in seen:
            becomes = change(row, now)
            # Whoever is done after the last deadline is done: nobody else was given it.
            is_in_time = row.is_held(token.attempt) or (becomes is None and row.has_lapsed(token.attempt))
            if is_in_time:
                seen.add(token.position)
                if becomes is None:
                    done.append(token.position)
                else:
                    changed.append(becomes)
        in_time.append(is_in_time)
    return Settled(done, changed, in_time)


def redrive(cursor: Cursor, rows: Iterable[Delivery], now: int, held: Iterable[Held] = ()) -> list[Delivery]:
    """Dead letters that are handed out again; these rows are so from then on.

    held: what waits, of their keys at least

    None that comes as new anyway, after somebody has sought back: above the cursor, or where it waits behind
    another one of its key. With a row on its way it would be given to two at once, or before its time. Until
    then it stays as it is, also if its message is gone by then.
    """
    waiting = {one.key: one for one in held}
    return [
        one.redrive(now)
        for one in rows
        if one.state is State.DEAD
        and one.position <= cursor.position
        and not (one.key in waiting and waiting[one.key].covers(one.position))
    ]
